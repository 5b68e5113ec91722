// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.scatter_elements %{{.*}}[%{{.*}}] axis 1 "none" %{{.*}} : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
// The last of equal indices wins.
// VALUE: result 0: [2, 3] f32 = {{\[\[}}1, 2, 20], [30, 5, 40]]
// VALUE: result 1: [2, 3] f32 = {{\[\[}}1, 2, 33], [34, 5, 46]]
// Fewer indices than elements along the other axis.
// VALUE: result 2: [2, 3] f32 = {{\[\[}}5, 2, 3], [4, 30, 6]]
func.func @main(%x: tensor<?x3xf32, #kiln.dims<n, 3>>
                    {kiln.input = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>})
    -> (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>) {
  %i = kiln.constant dense<[[2, 2], [0, 2]]> : tensor<2x2xi64>
  %u = kiln.constant dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  %0 = kiln.scatter_elements %x[%i] axis 1 "none" %u
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %1 = kiln.scatter_elements %x[%i] axis 1 "add" %u
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %j = kiln.constant dense<[[0, 1]]> : tensor<1x2xi32>
  %v = kiln.constant dense<[[5.0, 30.0]]> : tensor<1x2xf32>
  %2 = kiln.scatter_elements %x[%j] axis 0 "max" %v
      : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<1x2xi32>, tensor<1x2xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
  return %0, %1, %2
      : tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>
}
