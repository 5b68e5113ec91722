// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.all_gather %{{.*}} axis 0 ranks 2 : tensor<1x4xi64> -> tensor<2x4xi64>
// CHECK: kiln.all_gather %{{.*}} axis 1 ranks 2 : tensor<1x4xi64> -> tensor<1x8xi64>
// VALUE: {{^}}result 0: [2, 4] i64 = {{\[\[}}0, 1, 2, 3], [4, 5, 6, 7]]
// VALUE: {{^}}result 1: [1, 8] i64 = {{\[\[}}0, 1, 2, 3, 4, 5, 6, 7]]
// VALUE: {{^}}result 2: [2, 2, 2] i64 = {{\[\[\[}}0, 1], [4, 5]], {{\[\[}}2, 3], [6, 7]]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main() -> (tensor<2x4xi64>, tensor<1x8xi64>, tensor<2x2x2xi64>) {
    %x = kiln.constant dense<[[0, 1, 2, 3], [4, 5, 6, 7]]> : tensor<2x4xi64>
    %0 = kiln.local_slice %x axis 0 ranks 2 : tensor<2x4xi64> -> tensor<1x4xi64>
    %1 = kiln.all_gather %0 axis 0 ranks 2 : tensor<1x4xi64> -> tensor<2x4xi64>
    %2 = kiln.all_gather %0 axis 1 ranks 2 : tensor<1x4xi64> -> tensor<1x8xi64>
    %3 = kiln.reshape %0 to <2, 1, 2> : tensor<1x4xi64> -> tensor<2x1x2xi64>
    %4 = kiln.all_gather %3 axis 1 ranks 2 : tensor<2x1x2xi64> -> tensor<2x2x2xi64>
    return %1, %2, %4 : tensor<2x4xi64>, tensor<1x8xi64>, tensor<2x2x2xi64>
  }
}

// -----

// Symbolic: as many entries as all ranks have.
// CHECK: tensor<?xf32, #kiln.dims<n>> -> tensor<?xf32, #kiln.dims<n * 3>>
// VALUE: {{^}}result 0: [0] f32 = []
!x = tensor<?xf32, #kiln.dims<n>>
!y = tensor<?xf32, #kiln.dims<n * 3>>
module attributes {kiln.ranks = 3 : i64} {
  func.func @main(%x: !x {kiln.input = dense<> : tensor<0xf32>}) -> !y {
    %0 = kiln.all_gather %x axis 0 ranks 3 : !x -> !y
    return %0 : !y
  }
}
