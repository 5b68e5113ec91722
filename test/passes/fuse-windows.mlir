// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-fuse-epilogue --kiln-fuse-gather --kiln-fuse-elementwise | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-fuse-epilogue --kiln-fuse-gather --kiln-fuse-elementwise --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// A convolution with padding: edges, windows and the product in one kernel, which reads the filter
// packed; nothing of the size of the patches is stored.
// CHECK: func.func @main
// CHECK-NEXT: kiln.constant
// CHECK-NEXT: %[[W:.*]] = kiln.reshape %{{.*}} to <32, 3>
// CHECK-NEXT: kiln.fusion
// CHECK-SAME: %[[W]]
// CHECK-NEXT: kiln.broadcast_to
// CHECK-NEXT: kiln.concat
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.permute
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.linear
// CHECK-SAME: transposed = false
// CHECK-NEXT: kiln.relu
// CHECK-NEXT: kiln.yield
// CHECK-NOT: kiln.fusion
!x = tensor<?x?x4x8xf32, #kiln.dims<n, h, 4, 8>>
!padded = tensor<?x?x4x8xf32, #kiln.dims<n, h + 1, 4, 8>>
!columns = tensor<?x?x3x2x8xf32, #kiln.dims<n, h + 1, 3, 2, 8>>
!windows = tensor<?x?x2x3x2x8xf32, #kiln.dims<n, h, 2, 3, 2, 8>>
!patches = tensor<?x?x3x2x2x8xf32, #kiln.dims<n, h, 3, 2, 2, 8>>
!rows = tensor<?x?x3x32xf32, #kiln.dims<n, h, 3, 32>>
!y = tensor<?x?x3x3xf32, #kiln.dims<n, h, 3, 3>>
func.func @main(%x: !x, %f: tensor<2x2x8x3xf32> {kiln.role = "weight"}, %b: tensor<3xf32>) -> !y {
  %zero = kiln.constant dense<0.0> : tensor<f32>
  %edge = kiln.broadcast_to %zero to <n, 1, 4, 8> : tensor<f32> -> tensor<?x1x4x8xf32, #kiln.dims<n, 1, 4, 8>>
  %p = kiln.concat %edge, %x axis 1 : (tensor<?x1x4x8xf32, #kiln.dims<n, 1, 4, 8>>, !x) -> !padded
  %c = kiln.windows %p axis 2 size 2 stride 1 dilation 1 : !padded -> !columns
  %w = kiln.windows %c axis 1 size 2 stride 1 dilation 1 : !columns -> !windows
  %s = kiln.permute %w [0, 1, 3, 2, 4, 5] : !windows -> !patches
  %r = kiln.reshape %s to <n, h, 3, 32> : !patches -> !rows
  %m = kiln.reshape %f to <32, 3> : tensor<2x2x8x3xf32> -> tensor<32x3xf32>
  %y = kiln.matmul %r, %m : (!rows, tensor<32x3xf32>) -> !y
  %z = kiln.add %y, %b : (!y, tensor<3xf32>) -> !y
  %a = kiln.relu %z : !y
  return %a : !y
}

// -----

// What is computed before the windows is computed once, not for each window that reads it.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.linear
!x = tensor<?x8xf32, #kiln.dims<n, 8>>
!windows = tensor<?x2x8xf32, #kiln.dims<n - 1, 2, 8>>
!rows = tensor<?x16xf32, #kiln.dims<n - 1, 16>>
!y = tensor<?x3xf32, #kiln.dims<n - 1, 3>>
func.func @main(%x: !x, %f: tensor<2x8x3xf32> {kiln.role = "weight"}) -> !y {
  %e = kiln.exp %x : !x
  %w = kiln.windows %e axis 0 size 2 stride 1 dilation 1 : !x -> !windows
  %r = kiln.reshape %w to <n - 1, 16> : !windows -> !rows
  %m = kiln.reshape %f to <16, 3> : tensor<2x8x3xf32> -> tensor<16x3xf32>
  %y = kiln.matmul %r, %m : (!rows, tensor<16x3xf32>) -> !y
  return %y : !y
}

// -----

// Refused: the windows are used elsewhere, so they are stored anyway.
// CHECK: func.func @main
// CHECK: %[[W:.*]] = kiln.fusion
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.yield
// CHECK: kiln.linear
!x = tensor<?x8xf32, #kiln.dims<n, 8>>
!windows = tensor<?x2x8xf32, #kiln.dims<n - 1, 2, 8>>
!rows = tensor<?x16xf32, #kiln.dims<n - 1, 16>>
!y = tensor<?x3xf32, #kiln.dims<n - 1, 3>>
func.func @main(%x: !x, %f: tensor<2x8x3xf32> {kiln.role = "weight"}) -> (!windows, !y) {
  %w = kiln.windows %x axis 0 size 2 stride 1 dilation 1 : !x -> !windows
  %r = kiln.reshape %w to <n - 1, 16> : !windows -> !rows
  %m = kiln.reshape %f to <16, 3> : tensor<2x8x3xf32> -> tensor<16x3xf32>
  %y = kiln.matmul %r, %m : (!rows, tensor<16x3xf32>) -> !y
  return %w, %y : !windows, !y
}

// -----

// A pool: windows, padding and the reduction in one kernel, through the reshape that joins the axes
// of a window.
// CHECK: func.func @main
// CHECK-NEXT: kiln.constant
// CHECK-NEXT: kiln.fusion
// CHECK-NEXT: kiln.concat
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.windows
// CHECK-NEXT: kiln.permute
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.max
// CHECK-NEXT: kiln.yield
// CHECK-NOT: kiln.fusion
func.func @main(%x: tensor<1x4x5x3xf32>) -> tensor<1x2x2x1x3xf32> {
  %low = kiln.constant dense<0xFF800000> : tensor<f32>
  %edge = kiln.broadcast_to %low to <1, 1, 5, 3> : tensor<f32> -> tensor<1x1x5x3xf32>
  %p = kiln.concat %edge, %x axis 1 : (tensor<1x1x5x3xf32>, tensor<1x4x5x3xf32>) -> tensor<1x5x5x3xf32>
  %c = kiln.windows %p axis 2 size 3 stride 2 dilation 1 : tensor<1x5x5x3xf32> -> tensor<1x5x2x3x3xf32>
  %w = kiln.windows %c axis 1 size 2 stride 2 dilation 1 : tensor<1x5x2x3x3xf32> -> tensor<1x2x2x2x3x3xf32>
  %s = kiln.permute %w [0, 1, 3, 2, 4, 5] : tensor<1x2x2x2x3x3xf32> -> tensor<1x2x2x2x3x3xf32>
  %r = kiln.reshape %s to <1, 2, 2, 6, 3> : tensor<1x2x2x2x3x3xf32> -> tensor<1x2x2x6x3xf32>
  %y = kiln.max %r axis 3 : (tensor<1x2x2x6x3xf32>) -> tensor<1x2x2x1x3xf32>
  return %y : tensor<1x2x2x1x3xf32>
}
