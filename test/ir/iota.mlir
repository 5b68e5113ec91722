// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.iota <n> from 0 : i64 step 1 : i64 of i64 : tensor<?xi64, #kiln.dims<n>>
// CHECK: kiln.iota <4> from 5.000000e-01 : f64 step -2.500000e-01 : f64 of f32 : tensor<4xf32>
// VALUE: result 0: [3] i64 = [0, 1, 2]
// VALUE: result 1: [4] f32 = [0.5, 0.25, 0, -0.25]
// VALUE: result 2: [3] u8 = [10, 7, 4]
// VALUE: result 3: [9] i32 = [0, 2, 4, 6, 8, 10, 12, 14, 16]
func.func @main(%x: tensor<?xf32, #kiln.dims<n>>)
    -> (tensor<?xi64, #kiln.dims<n>>, tensor<4xf32>, tensor<3xui8>, tensor<?xi32, #kiln.dims<n * 2 + 3>>) {
  %0 = kiln.iota <n> from 0 : i64 step 1 : i64 of i64 : tensor<?xi64, #kiln.dims<n>>
  %1 = kiln.iota <4> from 0.5 : f64 step -0.25 : f64 of f32 : tensor<4xf32>
  %2 = kiln.iota <3> from 10 : i64 step -3 : i64 of ui8 : tensor<3xui8>
  %3 = kiln.iota <n * 2 + 3> from 0 : i64 step 2 : i64 of i32 : tensor<?xi32, #kiln.dims<n * 2 + 3>>
  return %0, %1, %2, %3
      : tensor<?xi64, #kiln.dims<n>>, tensor<4xf32>, tensor<3xui8>, tensor<?xi32, #kiln.dims<n * 2 + 3>>
}
