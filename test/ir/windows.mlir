// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.windows %{{.*}} axis 0 size 3 stride 1 dilation 1 : tensor<?xi32, #kiln.dims<n>> -> tensor<?x3xi32, #kiln.dims<n - 2, 3>>
// CHECK: kiln.windows %{{.*}} axis 0 size 2 stride 2 dilation 3 : tensor<?xi32, #kiln.dims<n>> -> tensor<?x2xi32, #kiln.dims<n / 2 - 1, 2>>
// VALUE: result 0: [4, 3] i32 = {{\[\[}}1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]
// VALUE: result 1: [2, 2] i32 = {{\[\[}}1, 4], [3, 6]]
// VALUE: result 2: [2, 1, 2, 1] i32 = {{\[\[\[\[}}1], [2]]], {{\[\[\[}}3], [4]]]]
// VALUE: result 3: [1, 1, 2] i32 = {{\[\[\[}}5, 6]]]
func.func @main(%x: tensor<?xi32, #kiln.dims<n>> {kiln.input = dense<[1, 2, 3, 4, 5, 6]> : tensor<6xi32>})
    -> (tensor<?x3xi32, #kiln.dims<n - 2, 3>>, tensor<?x2xi32, #kiln.dims<n / 2 - 1, 2>>,
        tensor<2x1x2x1xi32>, tensor<1x1x2xi32>) {
  %0 = kiln.windows %x axis 0 size 3 stride 1 dilation 1
      : tensor<?xi32, #kiln.dims<n>> -> tensor<?x3xi32, #kiln.dims<n - 2, 3>>
  %1 = kiln.windows %x axis 0 size 2 stride 2 dilation 3
      : tensor<?xi32, #kiln.dims<n>> -> tensor<?x2xi32, #kiln.dims<n / 2 - 1, 2>>
  %y = kiln.constant dense<[[[1], [2]], [[3], [4]]]> : tensor<2x2x1xi32>
  %2 = kiln.windows %y axis 1 size 2 stride 5 dilation 1 : tensor<2x2x1xi32> -> tensor<2x1x2x1xi32>
  %z = kiln.constant dense<[[5, 6], [7, 8], [9, 10]]> : tensor<3x2xi32>
  %3 = kiln.windows %z axis 0 size 1 stride 3 dilation 9 : tensor<3x2xi32> -> tensor<1x1x2xi32>
  return %0, %1, %2, %3
      : tensor<?x3xi32, #kiln.dims<n - 2, 3>>, tensor<?x2xi32, #kiln.dims<n / 2 - 1, 2>>,
        tensor<2x1x2x1xi32>, tensor<1x1x2xi32>
}
