// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.size <n> : tensor<i64>
// CHECK: kiln.size <n * 2 + 1> : tensor<i64>
// VALUE: result 0: [] i64 = 3
// VALUE: result 1: [] i64 = 7
func.func @main(%x: tensor<?xf32, #kiln.dims<n>>) -> (tensor<i64>, tensor<i64>) {
  %0 = kiln.size <n> : tensor<i64>
  %1 = kiln.size <n * 2 + 1> : tensor<i64>
  return %0, %1 : tensor<i64>, tensor<i64>
}
