// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>, %i: tensor<2xi64>) {
  // expected-error@+1 {{'kiln.gather_elements' op (C1) axis 1 is out of range for x [3] f32}}
  %0 = kiln.gather_elements %x[%i] axis 1 : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @C2(%x: tensor<3xf32>, %i: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.gather_elements' op (C2) indices must be integers: indices [2] bool}}
  %0 = kiln.gather_elements %x[%i] axis 0 : (tensor<3xf32>, tensor<2xi1>) -> tensor<2xf32>
  return
}

// -----

func.func @C3(%x: tensor<3xf32>, %i: tensor<1x2xi64>) {
  // expected-error@+1 {{'kiln.gather_elements' op (C3) ranks differ: x [3] f32, indices [1, 2] i64}}
  %0 = kiln.gather_elements %x[%i] axis 0 : (tensor<3xf32>, tensor<1x2xi64>) -> tensor<1x2xf32>
  return
}

// -----

func.func @C4(%x: tensor<3x2xf32>, %i: tensor<4x2xi64>) {
  // expected-error@+1 {{'kiln.gather_elements' op (C4) there are more indices than elements along axis 0: x [3, 2] f32, indices [4, 2] i64}}
  %0 = kiln.gather_elements %x[%i] axis 1 : (tensor<3x2xf32>, tensor<4x2xi64>) -> tensor<4x2xf32>
  return
}
