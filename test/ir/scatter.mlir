// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.scatter %{{.*}}[%{{.*}}] "none" %{{.*}} : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3xi64>, tensor<3x2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
// The last of equal indices wins.
// VALUE: result 0: [3, 2] f32 = {{\[\[}}1, 2], [30, 40], [10, 20]]
// VALUE: result 1: [3, 2] f32 = {{\[\[}}1, 2], [83, 104], [15, 26]]
// VALUE: result 2: [4] i32 = [0, 6, 2, 60]
// VALUE: result 3: [4] i32 = [0, 2, 2, 5]
// VALUE: result 4: [4] i32 = [-7, 1, 2, 3]
// A NaN stays, in both operands.
// VALUE: result 5: [2] f32 = [{{-?}}nan, {{-?}}nan]
// Each step is rounded: 256 + 1 is no bfloat16.
// VALUE: result 6: [1] bf16 = [256]
// VALUE: result 7: [2] bool = [true, false]
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>>
                    {kiln.input = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>})
    -> (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<4xi32>, tensor<4xi32>,
        tensor<4xi32>, tensor<2xf32>, tensor<1xbf16>, tensor<2xi1>) {
  %i = kiln.constant dense<[1, 2, 1]> : tensor<3xi64>
  %u = kiln.constant dense<[[50.0, 60.0], [10.0, 20.0], [30.0, 40.0]]> : tensor<3x2xf32>
  %0 = kiln.scatter %x[%i] "none" %u
      : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3xi64>, tensor<3x2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
  %1 = kiln.scatter %x[%i] "add" %u
      : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3xi64>, tensor<3x2xf32>) -> tensor<?x2xf32, #kiln.dims<n, 2>>
  %y = kiln.constant dense<[0, 1, 2, 3]> : tensor<4xi32>
  %j = kiln.constant dense<[3, 1, 0, 1, 3]> : tensor<5xui8>
  %v = kiln.constant dense<[5, 2, 0, 3, 4]> : tensor<5xi32>
  %2 = kiln.scatter %y[%j] "mul" %v : (tensor<4xi32>, tensor<5xui8>, tensor<5xi32>) -> tensor<4xi32>
  %w = kiln.constant dense<[5, 2, -7, 1, 4]> : tensor<5xi32>
  %3 = kiln.scatter %y[%j] "max" %w : (tensor<4xi32>, tensor<5xui8>, tensor<5xi32>) -> tensor<4xi32>
  %4 = kiln.scatter %y[%j] "min" %w : (tensor<4xi32>, tensor<5xui8>, tensor<5xi32>) -> tensor<4xi32>
  %f = kiln.constant dense<[0x7FC00000, 0.0]> : tensor<2xf32>
  %k = kiln.constant dense<[0, 1, 1]> : tensor<3xi32>
  %g = kiln.constant dense<[1.0, 0x7FC00000, 2.0]> : tensor<3xf32>
  %5 = kiln.scatter %f[%k] "max" %g : (tensor<2xf32>, tensor<3xi32>, tensor<3xf32>) -> tensor<2xf32>
  %h = kiln.constant dense<256.0> : tensor<1xbf16>
  %o = kiln.constant dense<0> : tensor<2xi32>
  %one = kiln.constant dense<1.0> : tensor<2xbf16>
  %6 = kiln.scatter %h[%o] "add" %one : (tensor<1xbf16>, tensor<2xi32>, tensor<2xbf16>) -> tensor<1xbf16>
  %b = kiln.constant dense<[false, false]> : tensor<2xi1>
  %p = kiln.constant dense<0> : tensor<1xi32>
  %t = kiln.constant dense<true> : tensor<1xi1>
  %7 = kiln.scatter %b[%p] "none" %t : (tensor<2xi1>, tensor<1xi32>, tensor<1xi1>) -> tensor<2xi1>
  return %0, %1, %2, %3, %4, %5, %6, %7
      : tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<4xi32>, tensor<4xi32>,
        tensor<4xi32>, tensor<2xf32>, tensor<1xbf16>, tensor<2xi1>
}
