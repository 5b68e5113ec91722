// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.argsort' op (C1) axis 1 is out of range for x [3] f32}}
  %0 = kiln.argsort %x axis 1 count <3> : tensor<3xf32> -> tensor<3xi64>
  return
}

// -----

func.func @C2(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.argsort' op (C2) expected a count of one dim, got [3, 1]}}
  %0 = kiln.argsort %x axis 0 count <3, 1> : tensor<3xf32> -> tensor<3xi64>
  return
}

// -----

func.func @C3(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.argsort' op (C3) count 4 is out of range for dimension size 3 of axis 0: x [3] f32}}
  %0 = kiln.argsort %x axis 0 count <4> : tensor<3xf32> -> tensor<4xi64>
  return
}

// -----

func.func @C3_negative(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.argsort' op (C3) count -1 is out of range for dimension size 3 of axis 0: x [3] f32}}
  %0 = kiln.argsort %x axis 0 count <-1> : tensor<3xf32> -> tensor<0xi64>
  return
}
