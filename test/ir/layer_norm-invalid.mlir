// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2x3xf32>, %w: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C1) expected weight and bias or neither, got 2 operands}}
  %0 = kiln.layer_norm %x, %w epsilon 1.0e-5 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @C2(%x: tensor<f32>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C2) expected a rank of 1 or more: x [] f32}}
  %0 = kiln.layer_norm %x epsilon 1.0e-5 : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @C3(%x: tensor<3xi32>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C3) expected a float dtype: x [3] i32}}
  %0 = kiln.layer_norm %x epsilon 1.0e-5 : (tensor<3xi32>) -> tensor<3xi32>
  return
}

// -----

func.func @C4(%x: tensor<2x3xf32>, %w: tensor<3xf32>, %b: tensor<3xbf16>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C4) dtypes differ: x [2, 3] f32, bias [3] bf16}}
  %0 = kiln.layer_norm %x, %w, %b epsilon 1.0e-5 : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xbf16>) -> tensor<2x3xf32>
  return
}

// -----

func.func @C5(%x: tensor<2x3xf32>, %w: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C5) weight does not match dimension of reduction: x [2, 3] f32, weight [2] f32}}
  %0 = kiln.layer_norm %x, %w, %w epsilon 1.0e-5 : (tensor<2x3xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @C6(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.layer_norm' op (C6) epsilon must be positive, got 0}}
  %0 = kiln.layer_norm %x epsilon 0.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}
