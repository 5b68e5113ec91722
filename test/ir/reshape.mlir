// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.reshape %{{.*}} to <n * 2> : tensor<?x2xf32, #kiln.dims<n, 2>> -> tensor<?xf32, #kiln.dims<n * 2>>
// VALUE: result 0: [6] f32 = [1, 2, 3, 4, 5, 6]
// VALUE: result 1: [2, 3] f32 = {{\[\[}}1, 2, 3], [4, 5, 6]]
// VALUE: result 2: [] bool = true
// VALUE-NOT: result
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>> {kiln.input = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>})
    -> (tensor<?xf32, #kiln.dims<n * 2>>, tensor<2x?xf32, #kiln.dims<2, n>>, tensor<i1>) {
  %0 = kiln.reshape %x to <n * 2> : tensor<?x2xf32, #kiln.dims<n, 2>> -> tensor<?xf32, #kiln.dims<n * 2>>
  %1 = kiln.reshape %x to <2, n> : tensor<?x2xf32, #kiln.dims<n, 2>> -> tensor<2x?xf32, #kiln.dims<2, n>>
  %t = kiln.constant dense<true> : tensor<1x1xi1>
  %2 = kiln.reshape %t to <> : tensor<1x1xi1> -> tensor<i1>
  return %0, %1, %2 : tensor<?xf32, #kiln.dims<n * 2>>, tensor<2x?xf32, #kiln.dims<2, n>>, tensor<i1>
}
