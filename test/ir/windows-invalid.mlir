// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.windows' op (C1) axis 1 is out of range for x [3] f32}}
  %0 = kiln.windows %x axis 1 size 1 stride 1 dilation 1 : tensor<3xf32> -> tensor<3x1xf32>
  return
}

// -----

func.func @C2_size(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.windows' op (C2) size 0 of axis 0 must be positive: x [3] f32}}
  %0 = kiln.windows %x axis 0 size 0 stride 1 dilation 1 : tensor<3xf32> -> tensor<3x0xf32>
  return
}

// -----

func.func @C2_stride(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.windows' op (C2) stride 0 of axis 0 must be positive: x [3] f32}}
  %0 = kiln.windows %x axis 0 size 1 stride 0 dilation 1 : tensor<3xf32> -> tensor<3x1xf32>
  return
}

// -----

func.func @C2_dilation(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.windows' op (C2) dilation -1 of axis 0 must be positive: x [3] f32}}
  %0 = kiln.windows %x axis 0 size 1 stride 1 dilation -1 : tensor<3xf32> -> tensor<3x1xf32>
  return
}

// -----

func.func @C3(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{'kiln.windows' op (C3) windows of 5 elements do not fit into the dimension size 4 of axis 1: x [2, 4] f32}}
  %0 = kiln.windows %x axis 1 size 3 stride 1 dilation 2 : tensor<2x4xf32> -> tensor<2x0x3xf32>
  return
}
