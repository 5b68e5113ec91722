// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.slice %{{.*}} from <1, 0> to <n, 4> step [1, 3] : tensor<?x4xi32, #kiln.dims<n, 4>> -> tensor<?x2xi32, #kiln.dims<n - 1, 2>>
// VALUE: result 0: [2, 2] i32 = {{\[\[}}5, 8], [9, 12]]
// VALUE: result 1: [0, 4] i32 = []
func.func @main(%x: tensor<?x4xi32, #kiln.dims<n, 4>>
                    {kiln.input = dense<[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]> : tensor<3x4xi32>})
    -> (tensor<?x2xi32, #kiln.dims<n - 1, 2>>, tensor<0x4xi32>) {
  %0 = kiln.slice %x from <1, 0> to <n, 4> step [1, 3]
      : tensor<?x4xi32, #kiln.dims<n, 4>> -> tensor<?x2xi32, #kiln.dims<n - 1, 2>>
  %1 = kiln.slice %x from <n, 0> to <n, 4> step [1, 1]
      : tensor<?x4xi32, #kiln.dims<n, 4>> -> tensor<0x4xi32>
  return %0, %1 : tensor<?x2xi32, #kiln.dims<n - 1, 2>>, tensor<0x4xi32>
}
