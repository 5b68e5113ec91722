// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// sum, prod, mean, max, min, argmax, argmin.
// CHECK: kiln.sum %{{.*}} axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xf32>
// CHECK: kiln.argmax %{{.*}} axis 0 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<1x?xi64, #kiln.dims<1, n>>
// VALUE: result 0: [2, 1] f32 = {{\[\[}}6], [nan]]
// VALUE: result 1: [1, 3] f32 = {{\[\[}}7, nan, 6]]
// VALUE: result 2: [2, 1] f32 = {{\[\[}}2], [nan]]
// VALUE: result 3: [2, 1] f32 = {{\[\[}}3], [nan]]
// VALUE: result 4: [2, 1] f32 = {{\[\[}}1], [nan]]
// The first NaN wins; of equals the first.
// VALUE: result 5: [2, 1] i64 = {{\[\[}}1], [1]]
// VALUE: result 6: [1, 3] i64 = {{\[\[}}0, 1, 0]]
// Integers wrap.
// VALUE: result 7: [1] u8 = [44]
// VALUE: result 8: [1] u8 = [200]
// VALUE: result 9: [1] i64 = [1]
// Nothing: 0, 1, NaN.
// VALUE: result 10: [1] f32 = [0]
// VALUE: result 11: [1] f32 = [1]
// VALUE: result 12: [1] f32 = [{{-?}}nan]
func.func @main(%x: tensor<2x?xf32, #kiln.dims<2, n>>
                    {kiln.input = dense<[[1.0, 3.0, 2.0], [7.0, 0x7FC00000, 3.0]]> : tensor<2x3xf32>})
    -> (tensor<2x1xf32>, tensor<1x?xf32, #kiln.dims<1, n>>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>,
        tensor<2x1xi64>, tensor<1x?xi64, #kiln.dims<1, n>>, tensor<1xui8>, tensor<1xui8>, tensor<1xi64>,
        tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) {
  %0 = kiln.sum %x axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xf32>
  %1 = kiln.prod %x axis 0 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<1x?xf32, #kiln.dims<1, n>>
  %2 = kiln.mean %x axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xf32>
  %3 = kiln.max %x axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xf32>
  %4 = kiln.min %x axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xf32>
  %5 = kiln.argmax %x axis 1 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<2x1xi64>
  %y = kiln.argmax %x axis 0 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<1x?xi64, #kiln.dims<1, n>>
  %6 = kiln.argmin %x axis 0 : (tensor<2x?xf32, #kiln.dims<2, n>>) -> tensor<1x?xi64, #kiln.dims<1, n>>
  %u = kiln.constant dense<[100, 200]> : tensor<2xui8>
  %7 = kiln.sum %u axis 0 : (tensor<2xui8>) -> tensor<1xui8>
  %8 = kiln.max %u axis 0 : (tensor<2xui8>) -> tensor<1xui8>
  %equal = kiln.constant dense<[2, 1, 1]> : tensor<3xi16>
  %9 = kiln.argmin %equal axis 0 : (tensor<3xi16>) -> tensor<1xi64>
  %e = kiln.constant dense<> : tensor<0xf32>
  %10 = kiln.sum %e axis 0 : (tensor<0xf32>) -> tensor<1xf32>
  %11 = kiln.prod %e axis 0 : (tensor<0xf32>) -> tensor<1xf32>
  %12 = kiln.mean %e axis 0 : (tensor<0xf32>) -> tensor<1xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12
      : tensor<2x1xf32>, tensor<1x?xf32, #kiln.dims<1, n>>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>,
        tensor<2x1xi64>, tensor<1x?xi64, #kiln.dims<1, n>>, tensor<1xui8>, tensor<1xui8>, tensor<1xi64>,
        tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
}
