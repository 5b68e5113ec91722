// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// What is not selected has no influence, NaN or not.
// CHECK: kiln.select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x1xi1>, tensor<3xf32>, tensor<f32>) -> tensor<2x3xf32>
// VALUE: result 0: [2, 3] f32 = {{\[\[}}1, 2, nan], [0, 0, 0]]
func.func @main() -> tensor<2x3xf32> {
  %c = kiln.constant dense<[[true], [false]]> : tensor<2x1xi1>
  %x = kiln.constant dense<[1.0, 2.0, 0x7FC00000]> : tensor<3xf32>
  %y = kiln.constant dense<0.0> : tensor<f32>
  %0 = kiln.select %c, %x, %y : (tensor<2x1xi1>, tensor<3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
