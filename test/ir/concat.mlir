// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.concat %{{.*}}, %{{.*}}, %{{.*}} axis 1 : (tensor<2x?xi32, #kiln.dims<2, n>>, tensor<2x1xi32>, tensor<2x0xi32>) -> tensor<2x?xi32, #kiln.dims<2, n + 1>>
// VALUE: result 0: [2, 3] i32 = {{\[\[}}1, 2, 9], [3, 4, 8]]
func.func @main(%x: tensor<2x?xi32, #kiln.dims<2, n>> {kiln.input = dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>})
    -> tensor<2x?xi32, #kiln.dims<2, n + 1>> {
  %y = kiln.constant dense<[[9], [8]]> : tensor<2x1xi32>
  %e = kiln.constant dense<> : tensor<2x0xi32>
  %0 = kiln.concat %x, %y, %e axis 1
      : (tensor<2x?xi32, #kiln.dims<2, n>>, tensor<2x1xi32>, tensor<2x0xi32>) -> tensor<2x?xi32, #kiln.dims<2, n + 1>>
  return %0 : tensor<2x?xi32, #kiln.dims<2, n + 1>>
}
