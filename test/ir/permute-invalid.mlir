// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.permute' op (C1) expected 2 axes, got [0]: x [2, 3] f32}}
  %0 = kiln.permute %x [0] : tensor<2x3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @C2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.permute' op (C2) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.permute %x [0, 2] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}

// -----

func.func @C3(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.permute' op (C3) axis 1 occurs twice in [1, 1]: x [2, 3] f32}}
  %0 = kiln.permute %x [1, 1] : tensor<2x3xf32> -> tensor<3x3xf32>
  return
}
