// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.constant dense<{{\[\[}}1.000000e+00, -2.500000e-01], [0.000000e+00, 3.000000e+00]]> : tensor<2x2xf32>
// CHECK: kiln.constant dense<[true, false]> : tensor<2xi1>
// CHECK: kiln.constant dense<255> : tensor<2xui8>
// CHECK: kiln.constant dense<-7> : tensor<i64>
// VALUE: result 0: [2, 2] f32 = {{\[\[}}1, -0.25], [0, 3]]
// VALUE: result 1: [2] bool = [true, false]
// VALUE: result 2: [2] u8 = [255, 255]
// VALUE: result 3: [] i64 = -7
// VALUE: result 4: [0, 2] bf16 = []
func.func @main() -> (tensor<2x2xf32>, tensor<2xi1>, tensor<2xui8>, tensor<i64>, tensor<0x2xbf16>) {
  %0 = kiln.constant dense<[[1.0, -0.25], [0.0, 3.0]]> : tensor<2x2xf32>
  %1 = kiln.constant dense<[true, false]> : tensor<2xi1>
  %2 = kiln.constant dense<255> : tensor<2xui8>
  %3 = kiln.constant dense<-7> : tensor<i64>
  %4 = kiln.constant dense<> : tensor<0x2xbf16>
  return %0, %1, %2, %3, %4 : tensor<2x2xf32>, tensor<2xi1>, tensor<2xui8>, tensor<i64>, tensor<0x2xbf16>
}
