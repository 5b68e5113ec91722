// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.layer_norm %{{.*}}, %{{.*}}, %{{.*}} epsilon 7.000000e+00 : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2xf32>, tensor<2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
// CHECK: kiln.layer_norm %{{.*}} epsilon 3.000000e+00 : (tensor<4xf64>) -> tensor<4xf64>
// [0, 6]: mean 3, variance 9, so -3 and 3 over the square root of 16.
// VALUE: result 0: [2, 2] f32 = {{\[\[}}9.25, 15.5], [10.75, 12.5]]
// VALUE: result 1: [4] f64 = [-0.5, -0.5, 0.5, 0.5]
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>> {kiln.input = dense<[[0.0, 6.0], [6.0, 0.0]]> : tensor<2x2xf32>})
    -> (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<4xf64>) {
  %w = kiln.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = kiln.constant dense<[10.0, 14.0]> : tensor<2xf32>
  %0 = kiln.layer_norm %x, %w, %b epsilon 7.0
      : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<2xf32>, tensor<2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
  %y = kiln.constant dense<[2.0, 2.0, 4.0, 4.0]> : tensor<4xf64>
  %1 = kiln.layer_norm %y epsilon 3.0 : (tensor<4xf64>) -> tensor<4xf64>
  return %0, %1 : tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<4xf64>
}
