// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.permute %{{.*}} [1, 2, 0] : tensor<2x?x1xf32, #kiln.dims<2, n, 1>> -> tensor<?x1x2xf32, #kiln.dims<n, 1, 2>>
// VALUE: result 0: [3, 1, 2] f32 = {{\[\[\[}}1, 4]], {{\[\[}}2, 5]], {{\[\[}}3, 6]]]
func.func @main(%x: tensor<2x?x1xf32, #kiln.dims<2, n, 1>>
                    {kiln.input = dense<[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]> : tensor<2x3x1xf32>})
    -> tensor<?x1x2xf32, #kiln.dims<n, 1, 2>> {
  %0 = kiln.permute %x [1, 2, 0]
      : tensor<2x?x1xf32, #kiln.dims<2, n, 1>> -> tensor<?x1x2xf32, #kiln.dims<n, 1, 2>>
  return %0 : tensor<?x1x2xf32, #kiln.dims<n, 1, 2>>
}
