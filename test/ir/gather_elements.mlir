// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.gather_elements %{{.*}}[%{{.*}}] axis 1 : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x2xi64, #kiln.dims<n, 2>>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
// VALUE: result 0: [2, 2] f32 = {{\[\[}}3, 1], [4, 6]]
// VALUE: result 1: [2, 3] f32 = {{\[\[}}4, 2, 6], [1, 2, 3]]
// Fewer indices than elements along the other axis.
// VALUE: result 2: [1, 2] f32 = {{\[\[}}1, 5]]
func.func @main(%x: tensor<?x3xf32, #kiln.dims<n, 3>>
                    {kiln.input = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>},
                %i: tensor<?x2xi64, #kiln.dims<n, 2>> {kiln.input = dense<[[2, 0], [0, 2]]> : tensor<2x2xi64>})
    -> (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x3xf32>, tensor<1x2xf32>) {
  %0 = kiln.gather_elements %x[%i] axis 1
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x2xi64, #kiln.dims<n, 2>>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
  %j = kiln.constant dense<[[1, 0, 1], [0, 0, 0]]> : tensor<2x3xui8>
  %1 = kiln.gather_elements %x[%j] axis 0
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<2x3xui8>) -> tensor<2x3xf32>
  %k = kiln.constant dense<[[0, 1]]> : tensor<1x2xi32>
  %2 = kiln.gather_elements %x[%k] axis 0
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<1x2xi32>) -> tensor<1x2xf32>
  return %0, %1, %2 : tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x3xf32>, tensor<1x2xf32>
}
