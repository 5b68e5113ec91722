// Each operation of one operand in ir/Elementwise.def.
// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.neg %{{.*}} : tensor<4xf32>
// VALUE: result 0: [4] f32 = [-1, 2.5, -0, -inf]
// CHECK: kiln.neg %{{.*}} : tensor<2xi8>
// VALUE: result 1: [2] i8 = [-1, -128]
// CHECK: kiln.neg %{{.*}} : tensor<2xui8>
// VALUE: result 2: [2] u8 = [255, 0]
// CHECK: kiln.abs %{{.*}} : tensor<3xf32>
// VALUE: result 3: [3] f32 = [1.5, 0, inf]
// CHECK: kiln.abs %{{.*}} : tensor<2xi8>
// VALUE: result 4: [2] i8 = [5, -128]
// CHECK: kiln.exp %{{.*}} : tensor<4xf32>
// VALUE: result 5: [4] f32 = [1, 2.718282, 0, inf]
// CHECK: kiln.log %{{.*}} : tensor<3xf32>
// VALUE: result 6: [3] f32 = [0, 1.386294, -inf]
// CHECK: kiln.log1p %{{.*}} : tensor<2xf32>
// VALUE: result 7: [2] f32 = [0, 1e-10]
// CHECK: kiln.sqrt %{{.*}} : tensor<3xf32>
// VALUE: result 8: [3] f32 = [2, 1.414214, 0]
// CHECK: kiln.rsqrt %{{.*}} : tensor<3xf32>
// VALUE: result 9: [3] f32 = [0.5, inf, 0]
// CHECK: kiln.sin %{{.*}} : tensor<2xf32>
// VALUE: result 10: [2] f32 = [0, 1]
// CHECK: kiln.cos %{{.*}} : tensor<2xf32>
// VALUE: result 11: [2] f32 = [1, -1]
// CHECK: kiln.tanh %{{.*}} : tensor<3xf32>
// VALUE: result 12: [3] f32 = [0, 0.7615942, 1]
// CHECK: kiln.erf %{{.*}} : tensor<3xf32>
// VALUE: result 13: [3] f32 = [0, 0.5204999, -1]
// CHECK: kiln.floor %{{.*}} : tensor<3xf32>
// VALUE: result 14: [3] f32 = [1, -2, -1]
// CHECK: kiln.ceil %{{.*}} : tensor<2xf32>
// VALUE: result 15: [2] f32 = [2, -1]
// CHECK: kiln.round %{{.*}} : tensor<4xf32>
// VALUE: result 16: [4] f32 = [0, 2, 2, -3]
// CHECK: kiln.trunc %{{.*}} : tensor<2xf32>
// VALUE: result 17: [2] f32 = [1, -1]
// CHECK: kiln.relu %{{.*}} : tensor<3xf32>
// VALUE: result 18: [3] f32 = [1.5, 0, 0]
// CHECK: kiln.relu %{{.*}} : tensor<2xi8>
// VALUE: result 19: [2] i8 = [3, 0]
// CHECK: kiln.gelu %{{.*}} : tensor<3xf32>
// VALUE: result 20: [3] f32 = [0.8413448, -0.1586553, 0]
// CHECK: kiln.gelu_tanh %{{.*}} : tensor<2xf32>
// VALUE: result 21: [2] f32 = [0.841192, -0.158808]
// CHECK: kiln.gelu_quick %{{.*}} : tensor<2xf32>
// VALUE: result 22: [2] f32 = [0.8457958, -0.1542042]
// CHECK: kiln.silu %{{.*}} : tensor<2xf32>
// VALUE: result 23: [2] f32 = [0.7310586, -0.2689414]
// CHECK: kiln.sigmoid %{{.*}} : tensor<3xf32>
// VALUE: result 24: [3] f32 = [0.5, 0.7310586, 0]
// CHECK: kiln.is_nan %{{.*}} : (tensor<3xf32>) -> tensor<3xi1>
// VALUE: result 25: [3] bool = [false, true, false]
// CHECK: kiln.is_inf %{{.*}} : (tensor<3xf32>) -> tensor<3xi1>
// VALUE: result 26: [3] bool = [false, false, true]
// CHECK: kiln.is_nan %{{.*}} : (tensor<1xi32>) -> tensor<1xi1>
// VALUE: result 27: [1] bool = [false]
// CHECK: kiln.not %{{.*}} : tensor<2xi1>
// VALUE: result 28: [2] bool = [false, true]
// CHECK: kiln.not %{{.*}} : tensor<2xi8>
// VALUE: result 29: [2] i8 = [-1, -6]
// CHECK: kiln.not %{{.*}} : tensor<1xui16>
// VALUE: result 30: [1] u16 = [65535]
// CHECK: kiln.exp %{{.*}} : tensor<1xbf16>
// VALUE: result 31: [1] bf16 = [2.71875]
// CHECK: kiln.exp %{{.*}} : tensor<1xf16>
// VALUE: result 32: [1] f16 = [2.71875]
// CHECK: kiln.sqrt %{{.*}} : tensor<1xbf16>
// VALUE: result 33: [1] bf16 = [1.414062]

func.func @main() -> (
    tensor<4xf32>, tensor<2xi8>, tensor<2xui8>, tensor<3xf32>, tensor<2xi8>, tensor<4xf32>,
    tensor<3xf32>, tensor<2xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>, tensor<4xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<2xi8>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<3xi1>, tensor<3xi1>, tensor<1xi1>, tensor<2xi1>, tensor<2xi8>,
    tensor<1xui16>, tensor<1xbf16>, tensor<1xf16>, tensor<1xbf16>) {
  %x0 = kiln.constant dense<[1.0, -2.5, 0.0, 0x7F800000]> : tensor<4xf32>
  %0 = kiln.neg %x0 : tensor<4xf32>
  %x1 = kiln.constant dense<[1, -128]> : tensor<2xi8>
  %1 = kiln.neg %x1 : tensor<2xi8>
  %x2 = kiln.constant dense<[1, 0]> : tensor<2xui8>
  %2 = kiln.neg %x2 : tensor<2xui8>
  %x3 = kiln.constant dense<[-1.5, -0.0, 0xFF800000]> : tensor<3xf32>
  %3 = kiln.abs %x3 : tensor<3xf32>
  %x4 = kiln.constant dense<[-5, -128]> : tensor<2xi8>
  %4 = kiln.abs %x4 : tensor<2xi8>
  %x5 = kiln.constant dense<[0.0, 1.0, 0xFF800000, 0x7F800000]> : tensor<4xf32>
  %5 = kiln.exp %x5 : tensor<4xf32>
  %x6 = kiln.constant dense<[1.0, 4.0, 0.0]> : tensor<3xf32>
  %6 = kiln.log %x6 : tensor<3xf32>
  %x7 = kiln.constant dense<[0.0, 1.0e-10]> : tensor<2xf32>
  %7 = kiln.log1p %x7 : tensor<2xf32>
  %x8 = kiln.constant dense<[4.0, 2.0, 0.0]> : tensor<3xf32>
  %8 = kiln.sqrt %x8 : tensor<3xf32>
  %x9 = kiln.constant dense<[4.0, 0.0, 0x7F800000]> : tensor<3xf32>
  %9 = kiln.rsqrt %x9 : tensor<3xf32>
  %x10 = kiln.constant dense<[0.0, 1.5707964]> : tensor<2xf32>
  %10 = kiln.sin %x10 : tensor<2xf32>
  %x11 = kiln.constant dense<[0.0, 3.1415927]> : tensor<2xf32>
  %11 = kiln.cos %x11 : tensor<2xf32>
  %x12 = kiln.constant dense<[0.0, 1.0, 0x7F800000]> : tensor<3xf32>
  %12 = kiln.tanh %x12 : tensor<3xf32>
  %x13 = kiln.constant dense<[0.0, 0.5, 0xFF800000]> : tensor<3xf32>
  %13 = kiln.erf %x13 : tensor<3xf32>
  %x14 = kiln.constant dense<[1.5, -1.5, -0.5]> : tensor<3xf32>
  %14 = kiln.floor %x14 : tensor<3xf32>
  %x15 = kiln.constant dense<[1.5, -1.5]> : tensor<2xf32>
  %15 = kiln.ceil %x15 : tensor<2xf32>
  %x16 = kiln.constant dense<[0.5, 1.5, 2.5, -2.6]> : tensor<4xf32>
  %16 = kiln.round %x16 : tensor<4xf32>
  %x17 = kiln.constant dense<[1.7, -1.7]> : tensor<2xf32>
  %17 = kiln.trunc %x17 : tensor<2xf32>
  %x18 = kiln.constant dense<[1.5, -1.5, -0.0]> : tensor<3xf32>
  %18 = kiln.relu %x18 : tensor<3xf32>
  %x19 = kiln.constant dense<[3, -3]> : tensor<2xi8>
  %19 = kiln.relu %x19 : tensor<2xi8>
  %x20 = kiln.constant dense<[1.0, -1.0, 0.0]> : tensor<3xf32>
  %20 = kiln.gelu %x20 : tensor<3xf32>
  %x21 = kiln.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %21 = kiln.gelu_tanh %x21 : tensor<2xf32>
  %x22 = kiln.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %22 = kiln.gelu_quick %x22 : tensor<2xf32>
  %x23 = kiln.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %23 = kiln.silu %x23 : tensor<2xf32>
  %x24 = kiln.constant dense<[0.0, 1.0, 0xFF800000]> : tensor<3xf32>
  %24 = kiln.sigmoid %x24 : tensor<3xf32>
  %x25 = kiln.constant dense<[1.0, 0x7FC00000, 0x7F800000]> : tensor<3xf32>
  %25 = kiln.is_nan %x25 : (tensor<3xf32>) -> tensor<3xi1>
  %x26 = kiln.constant dense<[1.0, 0x7FC00000, 0xFF800000]> : tensor<3xf32>
  %26 = kiln.is_inf %x26 : (tensor<3xf32>) -> tensor<3xi1>
  %x27 = kiln.constant dense<[1]> : tensor<1xi32>
  %27 = kiln.is_nan %x27 : (tensor<1xi32>) -> tensor<1xi1>
  %x28 = kiln.constant dense<[true, false]> : tensor<2xi1>
  %28 = kiln.not %x28 : tensor<2xi1>
  %x29 = kiln.constant dense<[0, 5]> : tensor<2xi8>
  %29 = kiln.not %x29 : tensor<2xi8>
  %x30 = kiln.constant dense<[0]> : tensor<1xui16>
  %30 = kiln.not %x30 : tensor<1xui16>
  %x31 = kiln.constant dense<[1.0]> : tensor<1xbf16>
  %31 = kiln.exp %x31 : tensor<1xbf16>
  %x32 = kiln.constant dense<[1.0]> : tensor<1xf16>
  %32 = kiln.exp %x32 : tensor<1xf16>
  %x33 = kiln.constant dense<[2.0]> : tensor<1xbf16>
  %33 = kiln.sqrt %x33 : tensor<1xbf16>
  return
    %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19,
    %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33
    :
    tensor<4xf32>, tensor<2xi8>, tensor<2xui8>, tensor<3xf32>, tensor<2xi8>, tensor<4xf32>,
    tensor<3xf32>, tensor<2xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<2xf32>, tensor<4xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<2xi8>, tensor<3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>,
    tensor<3xf32>, tensor<3xi1>, tensor<3xi1>, tensor<1xi1>, tensor<2xi1>, tensor<2xi8>,
    tensor<1xui16>, tensor<1xbf16>, tensor<1xf16>, tensor<1xbf16>
}
