// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.matmul %{{.*}}, %{{.*}} : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
// CHECK: kiln.matmul %{{.*}}, %{{.*}} : (tensor<2x1x1x2xi8>, tensor<2x2x1xi8>) -> tensor<2x2x1x1xi8>
// VALUE: result 0: [3, 2] f32 = {{\[\[}}7, 10], [15, 22], [23, 34]]
// Batch dims broadcast; integers wrap: 100 * 2 + 100 is 300, in i8 44.
// VALUE: result 1: [2, 2, 1, 1] i8 = {{\[\[\[\[}}44]], {{\[\[}}-56]]], {{\[\[\[}}5]], {{\[\[}}4]]]]
// No products at all.
// VALUE: result 2: [1, 2] f32 = {{\[\[}}0, 0]]
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>> {kiln.input = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>})
    -> (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x2x1x1xi8>, tensor<1x2xf32>) {
  %y = kiln.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = kiln.matmul %x, %y
      : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
  %a = kiln.constant dense<[[[[100, 100]]], [[[1, 3]]]]> : tensor<2x1x1x2xi8>
  %b = kiln.constant dense<[[[2], [1]], [[1], [1]]]> : tensor<2x2x1xi8>
  %1 = kiln.matmul %a, %b : (tensor<2x1x1x2xi8>, tensor<2x2x1xi8>) -> tensor<2x2x1x1xi8>
  %e = kiln.constant dense<> : tensor<1x0xf32>
  %f = kiln.constant dense<> : tensor<0x2xf32>
  %2 = kiln.matmul %e, %f : (tensor<1x0xf32>, tensor<0x2xf32>) -> tensor<1x2xf32>
  return %0, %1, %2 : tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2x2x1x1xi8>, tensor<1x2xf32>
}
