// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.softmax %{{.*}} axis 1 : tensor<2x?xf32, #kiln.dims<2, n>>
// VALUE: result 0: [2, 3] f32 = {{\[\[}}0.25, 0.5, 0.25], [0, 1, 0]]
// A row of -inf alone, or with a NaN or +inf in it, is NaN.
// VALUE: result 1: [2, 3] f32 = {{\[\[}}{{-?}}nan, {{-?}}nan, {{-?}}nan], [{{-?}}nan, {{-?}}nan, {{-?}}nan]]
// VALUE: result 2: [2, 1] bf16 = {{\[\[}}0.5], [0.5]]
func.func @main(%x: tensor<2x?xf32, #kiln.dims<2, n>>
                    {kiln.input = dense<[[0.0, 0.69314718, 0.0], [-1000.0, 1000.0, 0xFF800000]]> : tensor<2x3xf32>})
    -> (tensor<2x?xf32, #kiln.dims<2, n>>, tensor<2x3xf32>, tensor<2x1xbf16>) {
  %0 = kiln.softmax %x axis 1 : tensor<2x?xf32, #kiln.dims<2, n>>
  %y = kiln.constant dense<[[0xFF800000, 0xFF800000, 0xFF800000], [0.0, 1.0, 0x7F800000]]> : tensor<2x3xf32>
  %1 = kiln.softmax %y axis 1 : tensor<2x3xf32>
  %z = kiln.constant dense<3.0> : tensor<2x1xbf16>
  %2 = kiln.softmax %z axis 0 : tensor<2x1xbf16>
  return %0, %1, %2 : tensor<2x?xf32, #kiln.dims<2, n>>, tensor<2x3xf32>, tensor<2x1xbf16>
}
