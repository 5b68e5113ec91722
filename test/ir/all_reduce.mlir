// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// Each rank has another value of the local_slice; all have its sum.
// CHECK: kiln.all_reduce %{{.*}} "sum" : tensor<2xf32>
// VALUE: {{^}}result 0: [2] f32 = [9, 12]
// VALUE: {{^}}result 1: [2] u8 = [4, 254]
module attributes {kiln.ranks = 3 : i64} {
  func.func @main() -> (tensor<2xf32>, tensor<2xui8>) {
    %x = kiln.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
    %0 = kiln.local_slice %x axis 0 ranks 3 : tensor<6xf32> -> tensor<2xf32>
    %1 = kiln.all_reduce %0 "sum" : tensor<2xf32>
    %i = kiln.constant dense<[1, 255, 1, 255, 2, 0]> : tensor<6xui8>
    %2 = kiln.local_slice %i axis 0 ranks 3 : tensor<6xui8> -> tensor<2xui8>
    %3 = kiln.all_reduce %2 "sum" : tensor<2xui8>
    return %1, %3 : tensor<2xf32>, tensor<2xui8>
  }
}

// -----

// 16-bit floats are rounded once: 2048 + 1 is 2048 in float16, 2048 + 1 + 1 is not.
// VALUE: {{^}}result 0: [1] f16 = [2050]
module attributes {kiln.ranks = 3 : i64} {
  func.func @main() -> tensor<1xf16> {
    %x = kiln.constant dense<[2048.0, 1.0, 1.0]> : tensor<3xf16>
    %0 = kiln.local_slice %x axis 0 ranks 3 : tensor<3xf16> -> tensor<1xf16>
    %1 = kiln.all_reduce %0 "sum" : tensor<1xf16>
    return %1 : tensor<1xf16>
  }
}

// -----

// One rank, and a symbolic size.
// VALUE: {{^}}result 0: [2] f32 = [1, 2]
!x = tensor<?xf32, #kiln.dims<n>>
func.func @main(%x: !x {kiln.input = dense<[1.0, 2.0]> : tensor<2xf32>}) -> !x {
  %0 = kiln.all_reduce %x "sum" : !x
  return %0 : !x
}
