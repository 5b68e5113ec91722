// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.cumsum %{{.*}} axis 1 : tensor<?x3xf32, #kiln.dims<n, 3>>
// CHECK: kiln.cumsum %{{.*}} axis 0 : tensor<?x3xf32, #kiln.dims<n, 3>>
// CHECK: kiln.cumsum %{{.*}} axis 1 exclusive true : tensor<?x3xf32, #kiln.dims<n, 3>>
// CHECK: kiln.cumsum %{{.*}} axis 1 exclusive true reverse true : tensor<?x3xf32, #kiln.dims<n, 3>>
// VALUE: result 0: [2, 3] f32 = {{\[\[}}1, 3, 6], [4, 9, 15]]
// VALUE: result 1: [2, 3] f32 = {{\[\[}}1, 2, 3], [5, 7, 9]]
// VALUE: result 2: [2, 3] f32 = {{\[\[}}0, 1, 3], [0, 4, 9]]
// VALUE: result 3: [2, 3] f32 = {{\[\[}}5, 3, 0], [11, 6, 0]]
// Integers wrap; 16-bit floats do not round in between: 256 + 1 is no bfloat16.
// VALUE: result 4: [3] i8 = [100, -56, -1]
// VALUE: result 5: [4] bf16 = [1, 256, 256, 258]
// VALUE: result 6: [0] f32 = []
func.func @main(%x: tensor<?x3xf32, #kiln.dims<n, 3>>
                    {kiln.input = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>})
    -> (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>,
        tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<3xi8>,
        tensor<4xbf16>, tensor<0xf32>) {
  %0 = kiln.cumsum %x axis 1 : tensor<?x3xf32, #kiln.dims<n, 3>>
  %1 = kiln.cumsum %x axis 0 : tensor<?x3xf32, #kiln.dims<n, 3>>
  %2 = kiln.cumsum %x axis 1 exclusive true : tensor<?x3xf32, #kiln.dims<n, 3>>
  %3 = kiln.cumsum %x axis 1 exclusive true reverse true : tensor<?x3xf32, #kiln.dims<n, 3>>
  %i = kiln.constant dense<[100, 100, 55]> : tensor<3xi8>
  %4 = kiln.cumsum %i axis 0 : tensor<3xi8>
  %h = kiln.constant dense<[1.0, 255.0, 1.0, 1.0]> : tensor<4xbf16>
  %5 = kiln.cumsum %h axis 0 : tensor<4xbf16>
  %e = kiln.constant dense<> : tensor<0xf32>
  %6 = kiln.cumsum %e axis 0 : tensor<0xf32>
  return %0, %1, %2, %3, %4, %5, %6
      : tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>,
        tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<3xi8>,
        tensor<4xbf16>, tensor<0xf32>
}
