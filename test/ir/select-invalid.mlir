// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%c: tensor<2xf32>, %x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.select' op (C1) expected a boolean condition: condition [2] f32}}
  %0 = kiln.select %c, %x, %x : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @C2(%c: tensor<2xi1>, %x: tensor<2xf32>, %y: tensor<2xf64>) {
  // expected-error@+1 {{'kiln.select' op (C2) dtypes differ: x [2] f32, y [2] f64}}
  %0 = kiln.select %c, %x, %y : (tensor<2xi1>, tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @C3(%c: tensor<3xi1>, %x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.select' op (C3) shapes do not broadcast at axis -1: 3 and 2: condition [3] bool, x [2] f32, y [2] f32}}
  %0 = kiln.select %c, %x, %x : (tensor<3xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}
