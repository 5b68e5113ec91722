// RUN: kiln-opt %s --split-input-file --kiln-cpu-pipeline | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-cpu-pipeline="target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 precision=high" | FileCheck %s --check-prefix=HIGH

// The filter of a convolution is packed once at load in either layout; nothing permutes it.
// CHECK: kernels = ["linear"]
// CHECK-SAME: packings = {{\[}}["none"], ["filter:{{[0-9]+}}"]]
!x = tensor<?x6xf32, #kiln.dims<n, 6>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %f: tensor<2x3x4xf32> {kiln.role = "weight"}) -> !y {
  %0 = kiln.reshape %f to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %1 = kiln.matmul %x, %0 : (!x, tensor<6x4xf32>) -> !y
  return %1 : !y
}

// -----

// CHECK: kernels = ["linear"]
// CHECK-SAME: packings = {{\[}}["none"], ["channels-first:{{[0-9]+}}"]]
!x = tensor<?x6xf32, #kiln.dims<n, 6>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %f: tensor<4x3x2xf32> {kiln.role = "weight"}) -> !y {
  %p = kiln.permute %f [2, 1, 0] : tensor<4x3x2xf32> -> tensor<2x3x4xf32>
  %0 = kiln.reshape %p to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %1 = kiln.matmul %x, %0 : (!x, tensor<6x4xf32>) -> !y
  return %1 : !y
}

// -----

// HIGH: packings = {{\[}}["none"], ["filter-parts:64"]]
!x = tensor<?x60xf32, #kiln.dims<n, 60>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %f: tensor<20x3x4xf32> {kiln.role = "weight"}) -> !y {
  %0 = kiln.reshape %f to <60, 4> : tensor<20x3x4xf32> -> tensor<60x4xf32>
  %1 = kiln.matmul %x, %0 : (!x, tensor<60x4xf32>) -> !y
  return %1 : !y
}

// -----

// HIGH: packings = {{\[}}["none"], ["channels-first-parts:64"]]
!x = tensor<?x60xf32, #kiln.dims<n, 60>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %f: tensor<4x3x20xf32> {kiln.role = "weight"}) -> !y {
  %p = kiln.permute %f [2, 1, 0] : tensor<4x3x20xf32> -> tensor<20x3x4xf32>
  %0 = kiln.reshape %p to <60, 4> : tensor<20x3x4xf32> -> tensor<60x4xf32>
  %1 = kiln.matmul %x, %0 : (!x, tensor<60x4xf32>) -> !y
  return %1 : !y
}
