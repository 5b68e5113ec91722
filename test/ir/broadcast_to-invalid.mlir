// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<1xf32>) {
  // expected-error@+1 {{'kiln.broadcast_to' op (C1) dimensions must be non-negative: [-1]}}
  %0 = kiln.broadcast_to %x to <-1> : tensor<1xf32> -> tensor<1xf32>
  return
}

// -----

func.func @C2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.broadcast_to' op (C2) cannot broadcast to fewer dims: x [2, 3] f32 to [3]}}
  %0 = kiln.broadcast_to %x to <3> : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @C3(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.broadcast_to' op (C3) input dimension at index 0 (2) must be either 1 or equal to corresponding output dimension at index 1 (n): x [2, 3] f32 to [4, n, 3]}}
  %0 = kiln.broadcast_to %x to <4, n, 3> : tensor<2x3xf32> -> tensor<4x?x3xf32, #kiln.dims<4, n, 3>>
  return
}
