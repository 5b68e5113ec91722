// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C0() {
  // expected-error@+1 {{'kiln.concat' op (C0) expected at least 1 operands, got 0}}
  %0 = "kiln.concat"() {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

// Twice 2^62 is more than an int64 holds.
func.func @C0_overflow(%x: tensor<4611686018427387904xi8>) {
  // expected-error@+1 {{'kiln.concat' op (C0)}}
  %0 = kiln.concat %x, %x axis 0
      : (tensor<4611686018427387904xi8>, tensor<4611686018427387904xi8>) -> tensor<1xi8>
  return
}

// -----

func.func @C1(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.concat' op (C1) axis 1 is out of range for operand 0 [2] f32}}
  %0 = kiln.concat %x, %x axis 1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @C2(%x: tensor<2xf32>, %y: tensor<2xf64>) {
  // expected-error@+1 {{'kiln.concat' op (C2) dtypes differ: operand 0 [2] f32, operand 1 [2] f64}}
  %0 = kiln.concat %x, %y axis 0 : (tensor<2xf32>, tensor<2xf64>) -> tensor<4xf32>
  return
}

// -----

func.func @C3(%x: tensor<2xf32>, %y: tensor<2x1xf32>) {
  // expected-error@+1 {{'kiln.concat' op (C3) ranks differ: operand 0 [2] f32, operand 1 [2, 1] f32}}
  %0 = kiln.concat %x, %y axis 0 : (tensor<2xf32>, tensor<2x1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @C4(%x: tensor<2x2xf32>, %y: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.concat' op (C4) dims of axis 1 differ, which is not the axis 0: operand 0 [2, 2] f32, operand 1 [2, 3] f32}}
  %0 = kiln.concat %x, %y axis 0 : (tensor<2x2xf32>, tensor<2x3xf32>) -> tensor<4x2xf32>
  return
}
