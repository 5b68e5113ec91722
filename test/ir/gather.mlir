// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.gather %{{.*}}[%{{.*}}] axis 0 : (tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2x2xf32>
// CHECK: kiln.gather %{{.*}}[%{{.*}}] axis 1 : (tensor<3x2xf32>, tensor<?xui8, #kiln.dims<n>>) -> tensor<3x?xf32, #kiln.dims<3, n>>
// VALUE: result 0: [2, 2, 2] f32 = {{\[\[\[}}5, 6], [1, 2]], {{\[\[}}3, 4], [5, 6]]]
// VALUE: result 1: [3, 3] f32 = {{\[\[}}2, 1, 2], [4, 3, 4], [6, 5, 6]]
// VALUE: result 2: [2] f32 = [3, 4]
func.func @main(%j: tensor<?xui8, #kiln.dims<n>> {kiln.input = dense<[1, 0, 1]> : tensor<3xui8>})
    -> (tensor<2x2x2xf32>, tensor<3x?xf32, #kiln.dims<3, n>>, tensor<2xf32>) {
  %t = kiln.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %i = kiln.constant dense<[[2, 0], [1, 2]]> : tensor<2x2xi64>
  %0 = kiln.gather %t[%i] axis 0 : (tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2x2xf32>
  %1 = kiln.gather %t[%j] axis 1
      : (tensor<3x2xf32>, tensor<?xui8, #kiln.dims<n>>) -> tensor<3x?xf32, #kiln.dims<3, n>>
  %k = kiln.constant dense<1> : tensor<i32>
  %2 = kiln.gather %t[%k] axis 0 : (tensor<3x2xf32>, tensor<i32>) -> tensor<2xf32>
  return %0, %1, %2 : tensor<2x2x2xf32>, tensor<3x?xf32, #kiln.dims<3, n>>, tensor<2xf32>
}
