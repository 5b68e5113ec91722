// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.slice' op (C1) expected 2 starts, stops and steps, got 1, 2 and 2: x [2, 3] f32}}
  %0 = kiln.slice %x from <0> to <2, 3> step [1, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @C2(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.slice' op (C2) step 0 of axis 0 must be positive: x [2] f32}}
  %0 = kiln.slice %x from <0> to <2> step [0] : tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @C3(%x: tensor<4xf32>) {
  // expected-error@+1 {{'kiln.slice' op (C3) start and stop should be increasing and not negative: 3 and 1 of axis 0: x [4] f32}}
  %0 = kiln.slice %x from <3> to <1> step [1] : tensor<4xf32> -> tensor<2xf32>
  return
}

// -----

func.func @C4(%x: tensor<4xf32>) {
  // expected-error@+1 {{'kiln.slice' op (C4) stop index 5 out of range for dimension size 4 of axis 0: x [4] f32}}
  %0 = kiln.slice %x from <0> to <5> step [1] : tensor<4xf32> -> tensor<5xf32>
  return
}
