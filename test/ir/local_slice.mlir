// RUN: kiln-opt %s --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --canonicalize | FileCheck %s
// RUN: kiln-opt %s --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// No fold makes a constant of it: each rank has another one.
// CHECK: kiln.local_slice %{{.*}} axis 0 ranks 2 : tensor<2x4xf32> -> tensor<1x4xf32>
// CHECK: kiln.local_slice %{{.*}} axis 1 ranks 2 : tensor<2x4xf32> -> tensor<2x2xf32>
// VALUE: {{^}}rank 0, result 0: [1, 4] f32 = {{\[\[}}0, 1, 2, 3]]
// VALUE: {{^}}rank 0, result 1: [2, 2] f32 = {{\[\[}}0, 1], [4, 5]]
// VALUE: {{^}}rank 1, result 0: [1, 4] f32 = {{\[\[}}4, 5, 6, 7]]
// VALUE: {{^}}rank 1, result 1: [2, 2] f32 = {{\[\[}}2, 3], [6, 7]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main() -> (tensor<1x4xf32>, tensor<2x2xf32>) {
    %x = kiln.constant dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]> : tensor<2x4xf32>
    %0 = kiln.local_slice %x axis 0 ranks 2 : tensor<2x4xf32> -> tensor<1x4xf32>
    %1 = kiln.local_slice %x axis 1 ranks 2 : tensor<2x4xf32> -> tensor<2x2xf32>
    return %0, %1 : tensor<1x4xf32>, tensor<2x2xf32>
  }
}
