// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C1) axis 1 is out of range for x [3] f32}}
  %0 = kiln.scatter_elements %x[%i] axis 1 "none" %u : (tensor<3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C2(%x: tensor<3xf32>, %i: tensor<2xf32>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C2) indices must be integers: indices [2] f32}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "none" %u : (tensor<3xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C3(%x: tensor<3xf32>, %i: tensor<1x2xi64>, %u: tensor<1x2xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C3) ranks differ: x [3] f32, indices [1, 2] i64}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "none" %u : (tensor<3xf32>, tensor<1x2xi64>, tensor<1x2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C4(%x: tensor<3x2xf32>, %i: tensor<3x4xi64>, %u: tensor<3x4xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C4) there are more indices than elements along axis 1: x [3, 2] f32, indices [3, 4] i64}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "none" %u : (tensor<3x2xf32>, tensor<3x4xi64>, tensor<3x4xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @C5(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf16>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C5) dtypes differ: x [3] f32, updates [2] f16}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "none" %u : (tensor<3xf32>, tensor<2xi64>, tensor<2xf16>) -> tensor<3xf32>
  return
}

// -----

func.func @C6(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<1xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C6) expected an update for each index: indices [2] i64, updates [1] f32}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "none" %u : (tensor<3xf32>, tensor<2xi64>, tensor<1xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C7(%x: tensor<3xf32>, %i: tensor<2xi64>, %u: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C7) expected one of the reductions none, add, mul, max, min, got mean}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "mean" %u : (tensor<3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C8(%x: tensor<3xi1>, %i: tensor<2xi64>, %u: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.scatter_elements' op (C8) expected numbers, not booleans: x [3] bool}}
  %0 = kiln.scatter_elements %x[%i] axis 0 "add" %u : (tensor<3xi1>, tensor<2xi64>, tensor<2xi1>) -> tensor<3xi1>
  return
}
