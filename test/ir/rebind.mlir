// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.rebind %{{.*}} to <3, m> : tensor<?x2xf32, #kiln.dims<n, 2>> -> tensor<3x?xf32, #kiln.dims<3, m>>
// VALUE: result 0: [3, 2] f32 = {{\[\[}}1, 2], [3, 4], [5, 6]]
// VALUE: result 1: [3, 2] f32 = {{\[\[}}1, 2], [3, 4], [5, 6]]
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>>
                    {kiln.input = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>},
                %y: tensor<?xf32, #kiln.dims<m>> {kiln.input = dense<[7.0, 8.0]> : tensor<2xf32>})
    -> (tensor<3x?xf32, #kiln.dims<3, m>>, tensor<?x2xf32, #kiln.dims<m + 1, 2>>) {
  %0 = kiln.rebind %x to <3, m> : tensor<?x2xf32, #kiln.dims<n, 2>> -> tensor<3x?xf32, #kiln.dims<3, m>>
  %1 = kiln.rebind %0 to <m + 1, 2>
      : tensor<3x?xf32, #kiln.dims<3, m>> -> tensor<?x2xf32, #kiln.dims<m + 1, 2>>
  return %0, %1 : tensor<3x?xf32, #kiln.dims<3, m>>, tensor<?x2xf32, #kiln.dims<m + 1, 2>>
}
