// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%t: tensor<f32>, %i: tensor<2xi64>) {
  // expected-error@+1 {{'kiln.gather' op (C1) expected a table of rank 1 or more: table [] f32}}
  %0 = kiln.gather %t[%i] axis 0 : (tensor<f32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @C2(%t: tensor<3xf32>, %i: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.gather' op (C2) indices must be integers: indices [2] f32}}
  %0 = kiln.gather %t[%i] axis 0 : (tensor<3xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @C3(%t: tensor<3xf32>, %i: tensor<2xi64>) {
  // expected-error@+1 {{'kiln.gather' op (C3) axis 1 is out of range for table [3] f32}}
  %0 = kiln.gather %t[%i] axis 1 : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @C5(%t: tensor<3xf32>, %i: tensor<2xi64>) {
  // expected-error@+1 {{'kiln.gather' op (C5) a part of a table of 2 entries has more along axis 0: table [3] f32}}
  %0 = kiln.gather %t[%i] axis 0 total 2 : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}
