// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<f32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter' op (C1) expected a rank of 1 or more: x [] f32}}
  %0 = kiln.scatter %x[%i] "none" %u : (tensor<f32>, tensor<2xi64>, tensor<2xf32>) -> tensor<f32>
  return
}

// -----

func.func @C2(%x: tensor<3xf32>, %i: tensor<2xf32>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter' op (C2) indices must be integers: indices [2] f32}}
  %0 = kiln.scatter %x[%i] "none" %u : (tensor<3xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C3(%x: tensor<3xf32>, %i: tensor<2x1xi64>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter' op (C3) expected indices of rank 1: indices [2, 1] i64}}
  %0 = kiln.scatter %x[%i] "none" %u : (tensor<3xf32>, tensor<2x1xi64>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C4(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf16>) {
  // expected-error@+1 {{'kiln.scatter' op (C4) dtypes differ: x [3] f32, updates [2] f16}}
  %0 = kiln.scatter %x[%i] "none" %u : (tensor<3xf32>, tensor<2xi64>, tensor<2xf16>) -> tensor<3xf32>
  return
}

// -----

func.func @C5(%x: tensor<3x4xf32>, %i: tensor<2xi64>, %u: tensor<2x5xf32>) {
  // expected-error@+1 {{'kiln.scatter' op (C5) expected updates of shape [2, 4], a row of x for each index: x [3, 4] f32, indices [2] i64, updates [2, 5] f32}}
  %0 = kiln.scatter %x[%i] "none" %u : (tensor<3x4xf32>, tensor<2xi64>, tensor<2x5xf32>) -> tensor<3x4xf32>
  return
}

// -----

func.func @C6(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter' op (C6) expected one of the reductions none, add, mul, max, min, got mean}}
  %0 = kiln.scatter %x[%i] "mean" %u : (tensor<3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C7(%x: tensor<3xi1>, %i: tensor<2xi64>, %u: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.scatter' op (C7) expected numbers, not booleans: x [3] bool}}
  %0 = kiln.scatter %x[%i] "add" %u : (tensor<3xi1>, tensor<2xi64>, tensor<2xi1>) -> tensor<3xi1>
  return
}
