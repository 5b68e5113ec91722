// Each operation of two operands in ir/Elementwise.def.
// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.add %{{.*}}, %{{.*}} : tensor<2xf32>
// VALUE: result 0: [2] f32 = [3, 0.3]
// CHECK: kiln.add %{{.*}}, %{{.*}} : tensor<2xi8>
// VALUE: result 1: [2] i8 = [-56, 127]
// CHECK: kiln.add %{{.*}}, %{{.*}} : tensor<2xbf16>
// VALUE: result 2: [2] bf16 = [256, 260]
// CHECK: kiln.sub %{{.*}}, %{{.*}} : tensor<1xf32>
// VALUE: result 3: [1] f32 = [-1.5]
// CHECK: kiln.sub %{{.*}}, %{{.*}} : tensor<1xui8>
// VALUE: result 4: [1] u8 = [255]
// CHECK: kiln.mul %{{.*}}, %{{.*}} : tensor<2xf32>
// VALUE: result 5: [2] f32 = [-6, {{-?}}nan]
// CHECK: kiln.mul %{{.*}}, %{{.*}} : tensor<1xi16>
// VALUE: result 6: [1] i16 = [24464]
// CHECK: kiln.div %{{.*}}, %{{.*}} : tensor<3xf32>
// VALUE: result 7: [3] f32 = [0.3333333, inf, -inf]
// CHECK: kiln.floor_div %{{.*}}, %{{.*}} : tensor<2xf32>
// VALUE: result 8: [2] f32 = [3, -4]
// CHECK: kiln.floor_div %{{.*}}, %{{.*}} : tensor<5xi8>
// VALUE: result 9: [5] i8 = [3, -4, -4, 0, -128]
// CHECK: kiln.floor_div %{{.*}}, %{{.*}} : tensor<2xui8>
// VALUE: result 10: [2] u8 = [127, 0]
// CHECK: kiln.mod %{{.*}}, %{{.*}} : tensor<4xf32>
// VALUE: result 11: [4] f32 = [3, 1, -1, -0]
// CHECK: kiln.mod %{{.*}}, %{{.*}} : tensor<5xi8>
// VALUE: result 12: [5] i8 = [3, 1, -1, 0, 0]
// CHECK: kiln.pow %{{.*}}, %{{.*}} : tensor<3xf32>
// VALUE: result 13: [3] f32 = [1024, 64, 0.5]
// CHECK: kiln.pow %{{.*}}, %{{.*}} : tensor<6xi8>
// VALUE: result 14: [6] i8 = [-128, 0, -1, 0, 1, 0]
// CHECK: kiln.maximum %{{.*}}, %{{.*}} : tensor<3xf32>
// VALUE: result 15: [3] f32 = [2, nan, nan]
// CHECK: kiln.maximum %{{.*}}, %{{.*}} : tensor<1xui8>
// VALUE: result 16: [1] u8 = [200]
// CHECK: kiln.minimum %{{.*}}, %{{.*}} : tensor<2xf32>
// VALUE: result 17: [2] f32 = [1, nan]
// CHECK: kiln.minimum %{{.*}}, %{{.*}} : tensor<1xi8>
// VALUE: result 18: [1] i8 = [-56]
// CHECK: kiln.eq %{{.*}}, %{{.*}} : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
// VALUE: result 19: [3] bool = [true, false, true]
// CHECK: kiln.ne %{{.*}}, %{{.*}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
// VALUE: result 20: [2] bool = [false, true]
// CHECK: kiln.lt %{{.*}}, %{{.*}} : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
// VALUE: result 21: [3] bool = [false, true, false]
// CHECK: kiln.le %{{.*}}, %{{.*}} : (tensor<2xi8>, tensor<2xi8>) -> tensor<2xi1>
// VALUE: result 22: [2] bool = [true, true]
// CHECK: kiln.gt %{{.*}}, %{{.*}} : (tensor<1xui64>, tensor<1xui64>) -> tensor<1xi1>
// VALUE: result 23: [1] bool = [true]
// CHECK: kiln.gt %{{.*}}, %{{.*}} : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi1>
// VALUE: result 24: [1] bool = [false]
// CHECK: kiln.ge %{{.*}}, %{{.*}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
// VALUE: result 25: [2] bool = [true, false]
// CHECK: kiln.lt %{{.*}}, %{{.*}} : tensor<2xi1>
// VALUE: result 26: [2] bool = [true, false]
// CHECK: kiln.and %{{.*}}, %{{.*}} : tensor<2xi1>
// VALUE: result 27: [2] bool = [true, false]
// CHECK: kiln.and %{{.*}}, %{{.*}} : tensor<1xi8>
// VALUE: result 28: [1] i8 = [8]
// CHECK: kiln.or %{{.*}}, %{{.*}} : tensor<1xi8>
// VALUE: result 29: [1] i8 = [14]
// CHECK: kiln.xor %{{.*}}, %{{.*}} : tensor<1xui8>
// VALUE: result 30: [1] u8 = [245]

func.func @main() -> (
    tensor<2xf32>, tensor<2xi8>, tensor<2xbf16>, tensor<1xf32>, tensor<1xui8>, tensor<2xf32>,
    tensor<1xi16>, tensor<3xf32>, tensor<2xf32>, tensor<5xi8>, tensor<2xui8>, tensor<4xf32>,
    tensor<5xi8>, tensor<3xf32>, tensor<6xi8>, tensor<3xf32>, tensor<1xui8>, tensor<2xf32>,
    tensor<1xi8>, tensor<3xi1>, tensor<2xi1>, tensor<3xi1>, tensor<2xi1>, tensor<1xi1>,
    tensor<1xi1>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>, tensor<1xi8>, tensor<1xi8>,
    tensor<1xui8>) {
  %x0 = kiln.constant dense<[1.0, 0.1]> : tensor<2xf32>
  %y0 = kiln.constant dense<[2.0, 0.2]> : tensor<2xf32>
  %0 = kiln.add %x0, %y0 : tensor<2xf32>
  %x1 = kiln.constant dense<[100, -128]> : tensor<2xi8>
  %y1 = kiln.constant dense<[100, -1]> : tensor<2xi8>
  %1 = kiln.add %x1, %y1 : tensor<2xi8>
  %x2 = kiln.constant dense<[256.0, 256.0]> : tensor<2xbf16>
  %y2 = kiln.constant dense<[1.0, 3.0]> : tensor<2xbf16>
  %2 = kiln.add %x2, %y2 : tensor<2xbf16>
  %x3 = kiln.constant dense<[1.0]> : tensor<1xf32>
  %y3 = kiln.constant dense<[2.5]> : tensor<1xf32>
  %3 = kiln.sub %x3, %y3 : tensor<1xf32>
  %x4 = kiln.constant dense<[1]> : tensor<1xui8>
  %y4 = kiln.constant dense<[2]> : tensor<1xui8>
  %4 = kiln.sub %x4, %y4 : tensor<1xui8>
  %x5 = kiln.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %y5 = kiln.constant dense<[-2.0, 0x7F800000]> : tensor<2xf32>
  %5 = kiln.mul %x5, %y5 : tensor<2xf32>
  %x6 = kiln.constant dense<[300]> : tensor<1xi16>
  %y6 = kiln.constant dense<[300]> : tensor<1xi16>
  %6 = kiln.mul %x6, %y6 : tensor<1xi16>
  %x7 = kiln.constant dense<[1.0, 1.0, -1.0]> : tensor<3xf32>
  %y7 = kiln.constant dense<[3.0, 0.0, 0.0]> : tensor<3xf32>
  %7 = kiln.div %x7, %y7 : tensor<3xf32>
  %x8 = kiln.constant dense<[7.0, -7.0]> : tensor<2xf32>
  %y8 = kiln.constant dense<[2.0, 2.0]> : tensor<2xf32>
  %8 = kiln.floor_div %x8, %y8 : tensor<2xf32>
  %x9 = kiln.constant dense<[7, -7, 7, 5, -128]> : tensor<5xi8>
  %y9 = kiln.constant dense<[2, 2, -2, 0, -1]> : tensor<5xi8>
  %9 = kiln.floor_div %x9, %y9 : tensor<5xi8>
  %x10 = kiln.constant dense<[255, 5]> : tensor<2xui8>
  %y10 = kiln.constant dense<[2, 0]> : tensor<2xui8>
  %10 = kiln.floor_div %x10, %y10 : tensor<2xui8>
  %x11 = kiln.constant dense<[7.0, -7.0, 7.0, 6.0]> : tensor<4xf32>
  %y11 = kiln.constant dense<[4.0, 4.0, -4.0, -3.0]> : tensor<4xf32>
  %11 = kiln.mod %x11, %y11 : tensor<4xf32>
  %x12 = kiln.constant dense<[7, -7, 7, 5, -128]> : tensor<5xi8>
  %y12 = kiln.constant dense<[4, 4, -4, 0, -1]> : tensor<5xi8>
  %12 = kiln.mod %x12, %y12 : tensor<5xi8>
  %x13 = kiln.constant dense<[2.0, -8.0, 2.0]> : tensor<3xf32>
  %y13 = kiln.constant dense<[10.0, 2.0, -1.0]> : tensor<3xf32>
  %13 = kiln.pow %x13, %y13 : tensor<3xf32>
  %x14 = kiln.constant dense<[2, 2, -1, 5, 0, 0]> : tensor<6xi8>
  %y14 = kiln.constant dense<[7, 8, -3, -1, 0, -1]> : tensor<6xi8>
  %14 = kiln.pow %x14, %y14 : tensor<6xi8>
  %x15 = kiln.constant dense<[1.0, 0x7FC00000, 1.0]> : tensor<3xf32>
  %y15 = kiln.constant dense<[2.0, 1.0, 0x7FC00000]> : tensor<3xf32>
  %15 = kiln.maximum %x15, %y15 : tensor<3xf32>
  %x16 = kiln.constant dense<[200]> : tensor<1xui8>
  %y16 = kiln.constant dense<[100]> : tensor<1xui8>
  %16 = kiln.maximum %x16, %y16 : tensor<1xui8>
  %x17 = kiln.constant dense<[1.0, 0x7FC00000]> : tensor<2xf32>
  %y17 = kiln.constant dense<[2.0, 1.0]> : tensor<2xf32>
  %17 = kiln.minimum %x17, %y17 : tensor<2xf32>
  %x18 = kiln.constant dense<[-56]> : tensor<1xi8>
  %y18 = kiln.constant dense<[100]> : tensor<1xi8>
  %18 = kiln.minimum %x18, %y18 : tensor<1xi8>
  %x19 = kiln.constant dense<[1.0, 0x7FC00000, 0.0]> : tensor<3xf32>
  %y19 = kiln.constant dense<[1.0, 0x7FC00000, -0.0]> : tensor<3xf32>
  %19 = kiln.eq %x19, %y19 : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
  %x20 = kiln.constant dense<[1.0, 0x7FC00000]> : tensor<2xf32>
  %y20 = kiln.constant dense<[1.0, 0x7FC00000]> : tensor<2xf32>
  %20 = kiln.ne %x20, %y20 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  %x21 = kiln.constant dense<[0x7FC00000, 1.0, 2.0]> : tensor<3xf32>
  %y21 = kiln.constant dense<[1.0, 2.0, 1.0]> : tensor<3xf32>
  %21 = kiln.lt %x21, %y21 : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
  %x22 = kiln.constant dense<[-1, 1]> : tensor<2xi8>
  %y22 = kiln.constant dense<[1, 1]> : tensor<2xi8>
  %22 = kiln.le %x22, %y22 : (tensor<2xi8>, tensor<2xi8>) -> tensor<2xi1>
  %x23 = kiln.constant dense<[18446744073709551615]> : tensor<1xui64>
  %y23 = kiln.constant dense<[1]> : tensor<1xui64>
  %23 = kiln.gt %x23, %y23 : (tensor<1xui64>, tensor<1xui64>) -> tensor<1xi1>
  %x24 = kiln.constant dense<[-1]> : tensor<1xi64>
  %y24 = kiln.constant dense<[1]> : tensor<1xi64>
  %24 = kiln.gt %x24, %y24 : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi1>
  %x25 = kiln.constant dense<[1.0, 0x7FC00000]> : tensor<2xf32>
  %y25 = kiln.constant dense<[1.0, 1.0]> : tensor<2xf32>
  %25 = kiln.ge %x25, %y25 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
  %x26 = kiln.constant dense<[false, true]> : tensor<2xi1>
  %y26 = kiln.constant dense<[true, true]> : tensor<2xi1>
  %26 = kiln.lt %x26, %y26 : tensor<2xi1>
  %x27 = kiln.constant dense<[true, true]> : tensor<2xi1>
  %y27 = kiln.constant dense<[true, false]> : tensor<2xi1>
  %27 = kiln.and %x27, %y27 : tensor<2xi1>
  %x28 = kiln.constant dense<[12]> : tensor<1xi8>
  %y28 = kiln.constant dense<[10]> : tensor<1xi8>
  %28 = kiln.and %x28, %y28 : tensor<1xi8>
  %x29 = kiln.constant dense<[12]> : tensor<1xi8>
  %y29 = kiln.constant dense<[10]> : tensor<1xi8>
  %29 = kiln.or %x29, %y29 : tensor<1xi8>
  %x30 = kiln.constant dense<[255]> : tensor<1xui8>
  %y30 = kiln.constant dense<[10]> : tensor<1xui8>
  %30 = kiln.xor %x30, %y30 : tensor<1xui8>
  return
    %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19,
    %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30
    :
    tensor<2xf32>, tensor<2xi8>, tensor<2xbf16>, tensor<1xf32>, tensor<1xui8>, tensor<2xf32>,
    tensor<1xi16>, tensor<3xf32>, tensor<2xf32>, tensor<5xi8>, tensor<2xui8>, tensor<4xf32>,
    tensor<5xi8>, tensor<3xf32>, tensor<6xi8>, tensor<3xf32>, tensor<1xui8>, tensor<2xf32>,
    tensor<1xi8>, tensor<3xi1>, tensor<2xi1>, tensor<3xi1>, tensor<2xi1>, tensor<1xi1>,
    tensor<1xi1>, tensor<2xi1>, tensor<2xi1>, tensor<2xi1>, tensor<1xi8>, tensor<1xi8>,
    tensor<1xui8>
}

// -----

// NumPy's broadcasting, over symbolic dims as well.
// CHECK: kiln.add %{{.*}}, %{{.*}} : (tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<2x1x3xf32>) -> tensor<2x?x3xf32, #kiln.dims<2, n, 3>>
// VALUE: result 0: [2, 2, 3] f32 = {{\[\[\[}}11, 12, 13], [21, 22, 23]], {{\[\[}}14, 15, 16], [24, 25, 26]]]
// An empty tensor stays empty.
// VALUE: result 1: [0] f32 = []
func.func @main(%x: tensor<?x1xf32, #kiln.dims<n, 1>> {kiln.input = dense<[[10.0], [20.0]]> : tensor<2x1xf32>})
    -> (tensor<2x?x3xf32, #kiln.dims<2, n, 3>>, tensor<0xf32>) {
  %y = kiln.constant dense<[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]> : tensor<2x1x3xf32>
  %0 = kiln.add %x, %y
      : (tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<2x1x3xf32>) -> tensor<2x?x3xf32, #kiln.dims<2, n, 3>>
  %e = kiln.constant dense<> : tensor<0xf32>
  %s = kiln.constant dense<1.0> : tensor<1xf32>
  %1 = kiln.mul %e, %s : (tensor<0xf32>, tensor<1xf32>) -> tensor<0xf32>
  return %0, %1 : tensor<2x?x3xf32, #kiln.dims<2, n, 3>>, tensor<0xf32>
}
