// The program of the README, before and after its fusions, as it stands there.
// RUN: kiln-opt %s --kiln-cpu-pipeline --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s

// CHECK: after phase "fuse"
// CHECK: func.func @main(%arg0: [[X:tensor<\?x2xf32, #kiln.dims<batch, 2>>]], %arg1: tensor<3x2xf32> {{.*}}, %arg2: tensor<3xf32> {{.*}}) -> [[Y:tensor<\?x3xf32, #kiln.dims<batch, 3>>]] {
// CHECK-NEXT: %0 = kiln.fusion (%arg3 = %arg0 : [[X]], %arg4 = %arg1 : tensor<3x2xf32>, %arg5 = %arg2 : tensor<3xf32>) -> [[Y]] {
// CHECK-NEXT: %1 = kiln.linear %arg3, weights(%arg4) biases(%arg5) : ([[X]], tensor<3x2xf32>, tensor<3xf32>) -> [[Y]]
// CHECK-NEXT: %2 = kiln.gelu %1 : [[Y]]
// CHECK-NEXT: kiln.yield %2 : [[Y]]
// CHECK-NEXT: }
// CHECK-NEXT: return %0 : [[Y]]
!x = tensor<?x2xf32, #kiln.dims<batch, 2>>
!y = tensor<?x3xf32, #kiln.dims<batch, 3>>
func.func @main(%arg0: !x, %arg1: tensor<3x2xf32> {kiln.role = "weight"}, %arg2: tensor<3xf32> {kiln.role = "weight"}) -> !y {
  %0 = kiln.permute %arg1 [1, 0] : tensor<3x2xf32> -> tensor<2x3xf32>
  %1 = kiln.matmul %arg0, %0 : (!x, tensor<2x3xf32>) -> !y
  %2 = kiln.add %1, %arg2 : (!y, tensor<3xf32>) -> !y
  %3 = kiln.gelu %2 : !y
  return %3 : !y
}
