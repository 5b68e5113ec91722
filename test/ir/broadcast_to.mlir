// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.broadcast_to %{{.*}} to <n, 2, 3> : tensor<2x1xi32> -> tensor<?x2x3xi32, #kiln.dims<n, 2, 3>>
// VALUE: result 0: [3, 2, 3] i32 = {{\[\[\[}}7, 7, 7], [8, 8, 8]], {{\[\[}}7, 7, 7], [8, 8, 8]], {{\[\[}}7, 7, 7], [8, 8, 8]]]
// VALUE: result 1: [2] f32 = [1.5, 1.5]
func.func @main(%names: tensor<?xi1, #kiln.dims<n>>)
    -> (tensor<?x2x3xi32, #kiln.dims<n, 2, 3>>, tensor<2xf32>) {
  %x = kiln.constant dense<[[7], [8]]> : tensor<2x1xi32>
  %0 = kiln.broadcast_to %x to <n, 2, 3> : tensor<2x1xi32> -> tensor<?x2x3xi32, #kiln.dims<n, 2, 3>>
  %s = kiln.constant dense<1.5> : tensor<f32>
  %1 = kiln.broadcast_to %s to <2> : tensor<f32> -> tensor<2xf32>
  return %0, %1 : tensor<?x2x3xi32, #kiln.dims<n, 2, 3>>, tensor<2xf32>
}
