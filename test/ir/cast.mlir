// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// Floats to integers: towards zero, saturating, NaN to 0; integers to narrower ones: modulo 2ⁿ.
// CHECK: kiln.cast %{{.*}} to i8 : tensor<6xf32> -> tensor<6xi8>
// VALUE: result 0: [6] i8 = [1, -1, 127, -128, 0, 0]
// VALUE: result 1: [6] u8 = [1, 0, 255, 0, 0, 0]
// VALUE: result 2: [6] bool = [true, true, true, true, true, false]
// VALUE: result 3: [3] i8 = [0, -1, -128]
// VALUE: result 4: [3] u32 = [256, 4294967295, 128]
// 1 + 2^-8 lies half way between two bfloat16 and goes to the even one.
// VALUE: result 5: [2] bf16 = [1, 1.015625]
// VALUE: result 6: [2] f32 = [1, 0]
// VALUE: result 7: [1] i64 = [9223372036854775807]
// VALUE: result 8: [1] f32 = [1.844674e+19]
func.func @main() -> (tensor<6xi8>, tensor<6xui8>, tensor<6xi1>, tensor<3xi8>, tensor<3xui32>,
                      tensor<2xbf16>, tensor<2xf32>, tensor<1xi64>, tensor<1xf32>) {
  %x = kiln.constant dense<[1.75, -1.75, 300.0, -300.0, 0x7FC00000, 0.0]> : tensor<6xf32>
  %0 = kiln.cast %x to i8 : tensor<6xf32> -> tensor<6xi8>
  %1 = kiln.cast %x to ui8 : tensor<6xf32> -> tensor<6xui8>
  %2 = kiln.cast %x to i1 : tensor<6xf32> -> tensor<6xi1>
  %i = kiln.constant dense<[256, -1, 128]> : tensor<3xi32>
  %3 = kiln.cast %i to i8 : tensor<3xi32> -> tensor<3xi8>
  %4 = kiln.cast %i to ui32 : tensor<3xi32> -> tensor<3xui32>
  %f = kiln.constant dense<[1.00390625, 1.01171875]> : tensor<2xf32>
  %5 = kiln.cast %f to bf16 : tensor<2xf32> -> tensor<2xbf16>
  %b = kiln.constant dense<[true, false]> : tensor<2xi1>
  %6 = kiln.cast %b to f32 : tensor<2xi1> -> tensor<2xf32>
  %large = kiln.constant dense<1.0e30> : tensor<1xf64>
  %7 = kiln.cast %large to i64 : tensor<1xf64> -> tensor<1xi64>
  %u = kiln.constant dense<18446744073709551615> : tensor<1xui64>
  %8 = kiln.cast %u to f32 : tensor<1xui64> -> tensor<1xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8
      : tensor<6xi8>, tensor<6xui8>, tensor<6xi1>, tensor<3xi8>, tensor<3xui32>, tensor<2xbf16>,
        tensor<2xf32>, tensor<1xi64>, tensor<1xf32>
}
