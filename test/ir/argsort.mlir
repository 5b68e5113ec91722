// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.argsort %{{.*}} axis 0 count <n> : tensor<?xf32, #kiln.dims<n>> -> tensor<?xi64, #kiln.dims<n>>
// CHECK: kiln.argsort %{{.*}} axis 0 count <n> descending true : tensor<?xf32, #kiln.dims<n>> -> tensor<?xi64, #kiln.dims<n>>
// CHECK: kiln.argsort %{{.*}} axis 0 count <2> descending true : tensor<?xf32, #kiln.dims<n>> -> tensor<2xi64>
// Equal ones, and zeros of both signs are, by their places; a NaN is greater than all.
// VALUE: result 0: [7] i64 = [4, 1, 3, 0, 5, 2, 6]
// VALUE: result 1: [7] i64 = [2, 6, 5, 0, 1, 3, 4]
// VALUE: result 2: [2] i64 = [2, 6]
// VALUE: result 3: [2, 2] i64 = {{\[\[}}1, 0], [0, 1]]
// VALUE: result 4: [2, 2] i64 = {{\[\[}}0, 1], [1, 0]]
// VALUE: result 5: [3] i64 = [2, 0, 1]
// VALUE: result 6: [0] i64 = []
func.func @main(%x: tensor<?xf32, #kiln.dims<n>>
                    {kiln.input = dense<[1.0, 0.0, 0x7FC00000, -0.0, -1.0, 0x7F800000, 0xFFC00000]> : tensor<7xf32>})
    -> (tensor<?xi64, #kiln.dims<n>>, tensor<?xi64, #kiln.dims<n>>, tensor<2xi64>, tensor<2x2xi64>,
        tensor<2x2xi64>, tensor<3xi64>, tensor<0xi64>) {
  %0 = kiln.argsort %x axis 0 count <n> : tensor<?xf32, #kiln.dims<n>> -> tensor<?xi64, #kiln.dims<n>>
  %1 = kiln.argsort %x axis 0 count <n> descending true
      : tensor<?xf32, #kiln.dims<n>> -> tensor<?xi64, #kiln.dims<n>>
  %2 = kiln.argsort %x axis 0 count <2> descending true : tensor<?xf32, #kiln.dims<n>> -> tensor<2xi64>
  %y = kiln.constant dense<[[2, 200], [1, 255]]> : tensor<2x2xui8>
  %3 = kiln.argsort %y axis 0 count <2> : tensor<2x2xui8> -> tensor<2x2xi64>
  %z = kiln.constant dense<[[-2, 0], [5, -9223372036854775808]]> : tensor<2x2xi64>
  %4 = kiln.argsort %z axis 1 count <2> : tensor<2x2xi64> -> tensor<2x2xi64>
  %b = kiln.constant dense<[true, true, false]> : tensor<3xi1>
  %5 = kiln.argsort %b axis 0 count <3> : tensor<3xi1> -> tensor<3xi64>
  %6 = kiln.argsort %b axis 0 count <0> : tensor<3xi1> -> tensor<0xi64>
  return %0, %1, %2, %3, %4, %5, %6
      : tensor<?xi64, #kiln.dims<n>>, tensor<?xi64, #kiln.dims<n>>, tensor<2xi64>, tensor<2x2xi64>,
        tensor<2x2xi64>, tensor<3xi64>, tensor<0xi64>
}
