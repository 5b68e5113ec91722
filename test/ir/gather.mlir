// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.gather %{{.*}}[%{{.*}}] axis 0 : (tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2x2xf32>
// CHECK: kiln.gather %{{.*}}[%{{.*}}] axis 1 : (tensor<3x2xf32>, tensor<?xui8, #kiln.dims<n>>) -> tensor<3x?xf32, #kiln.dims<3, n>>
// VALUE: result 0: [2, 2, 2] f32 = {{\[\[\[}}5, 6], [1, 2]], {{\[\[}}3, 4], [5, 6]]]
// VALUE: result 1: [3, 3] f32 = {{\[\[}}2, 1, 2], [4, 3, 4], [6, 5, 6]]
// VALUE: result 2: [2] f32 = [3, 4]
func.func @main(%j: tensor<?xui8, #kiln.dims<n>> {kiln.input = dense<[1, 0, 1]> : tensor<3xui8>})
    -> (tensor<2x2x2xf32>, tensor<3x?xf32, #kiln.dims<3, n>>, tensor<2xf32>) {
  %t = kiln.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %i = kiln.constant dense<[[2, 0], [1, 2]]> : tensor<2x2xi64>
  %0 = kiln.gather %t[%i] axis 0 : (tensor<3x2xf32>, tensor<2x2xi64>) -> tensor<2x2x2xf32>
  %1 = kiln.gather %t[%j] axis 1
      : (tensor<3x2xf32>, tensor<?xui8, #kiln.dims<n>>) -> tensor<3x?xf32, #kiln.dims<3, n>>
  %k = kiln.constant dense<1> : tensor<i32>
  %2 = kiln.gather %t[%k] axis 0 : (tensor<3x2xf32>, tensor<i32>) -> tensor<2xf32>
  return %0, %1, %2 : tensor<2x2x2xf32>, tensor<3x?xf32, #kiln.dims<3, n>>, tensor<2xf32>
}

// -----

// From a part of a table: what it has not are zeros, and ranks have different rows.
// CHECK: kiln.gather %{{.*}}[%{{.*}}] axis 0 total 5 : (tensor<3x2xf32>, tensor<4xi64>) -> tensor<4x2xf32>
// VALUE: {{^}}rank 0, result 0: [4, 2] f32 = {{\[\[}}5, 6], [0, 0], [0, 0], [1, 2]]
// VALUE: {{^}}rank 0, result 1: [4, 2] f32 = {{\[\[}}5, 6], [9, 10], [7, 8], [1, 2]]
// VALUE: {{^}}rank 1, result 0: [4, 2] f32 = {{\[\[}}0, 0], [9, 10], [7, 8], [0, 0]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<3x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.whole = 5 : i64,
      kiln.input = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]> : tensor<5x2xf32>})
      -> (tensor<4x2xf32>, tensor<4x2xf32>) {
    %i = kiln.constant dense<[2, 4, 3, 0]> : tensor<4xi64>
    %0 = kiln.gather %t[%i] axis 0 total 5 : (tensor<3x2xf32>, tensor<4xi64>) -> tensor<4x2xf32>
    %1 = kiln.all_reduce %0 "sum" : tensor<4x2xf32>
    return %0, %1 : tensor<4x2xf32>, tensor<4x2xf32>
  }
}
