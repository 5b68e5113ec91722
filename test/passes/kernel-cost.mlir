// What kernels are said to compute and move.
// RUN: kiln-opt %s --split-input-file --kiln-lower-to-cpu=target=x86-64-v3 | FileCheck %s

// A table's rows that are looked up, weights apart from the rest, a multiplication and an addition for each term,
// one for each bias and each gelu. A kernel that is launched twice is described once.
// CHECK: costs = [
// CHECK-SAME: {flops = "0", other_bytes = "n * 16", products = 11 : i64, types = "[4, 2] f32, [n] i64 -> [n, 2] f32", weight_bytes = "n * 8"}
// CHECK-SAME: {flops = "n * 12", other_bytes = "n * 16", products = 11 : i64, types = "[n, 2] f32, [2, 2] f32, [2] f32 -> [n, 2] f32", weight_bytes = "24"}
// CHECK-SAME: launches = array<i64: 0, 1, 1>
// The entry goes through a table of steps (which kernel, launch, places from, to), and tells who listens what it does.
// CHECK-DAG: llvm.mlir.global internal constant @kiln_steps(dense<[0, 0, 0, 3, 1, 1, 3, 7, 1, 2, 7, 11]>
// CHECK-DAG: llvm.mlir.global internal constant @kiln_arguments(dense<[0, 1, 5, 5, 2, 3, 6, 6, 2, 3, 4]>
// CHECK: llvm.func @kiln_entry(
// CHECK: llvm.call @kiln_launching
// CHECK: llvm.switch
// CHECK-COUNT-1: llvm.call @gather(
// CHECK-COUNT-1: llvm.call @linear(
// CHECK: llvm.call @kiln_launching
// CHECK-NEXT: llvm.return
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
func.func @main(%t: tensor<4x2xf32> {kiln.role = "weight"}, %i: !i,
                %w: tensor<2x2xf32> {kiln.role = "weight"}, %b: tensor<2xf32> {kiln.role = "weight"}) -> !x {
  %0 = kiln.launch @gather(%t, %i) : (tensor<4x2xf32>, !i) -> !x
  %1 = kiln.launch @linear(%0, %w, %b) : (!x, tensor<2x2xf32>, tensor<2xf32>) -> !x
  %2 = kiln.launch @linear(%1, %w, %b) : (!x, tensor<2x2xf32>, tensor<2xf32>) -> !x
  return %2 : !x
}
func.func private @gather(%t: tensor<4x2xf32>, %i: !i) -> !x attributes {kiln.kernel} {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, !i) -> !x
  return %0 : !x
}
func.func private @linear(%x: !x, %w: tensor<2x2xf32>, %b: tensor<2xf32>) -> !x attributes {kiln.kernel} {
  %0 = kiln.linear %x, weights(%w) biases(%b) : (!x, tensor<2x2xf32>, tensor<2xf32>) -> !x
  %1 = kiln.gelu %0 : !x
  return %1 : !x
}

// -----

// Attention: 2 * 8 + 5 for each of 4 * s queries and s keys, 2 for each element of its result and key. Normed rows: 8 an element.
// CHECK: flops = "b * s * s * 148", {{.*}} types = "[b, 4, s, 8] f32, [b, 4, s, 8] f32, [b, 4, s, 8] f32 -> [b, 4, s, 8] f32"
// CHECK-SAME: flops = "b * s * 256"
!q = tensor<?x4x?x8xf32, #kiln.dims<b, 4, s, 8>>
func.func @main(%q: !q, %k: !q, %v: !q) -> !q {
  %0 = kiln.launch @attention(%q, %k, %v) : (!q, !q, !q) -> !q
  %1 = kiln.launch @layer_norm(%0) : (!q) -> !q
  return %1 : !q
}
func.func private @attention(%q: !q, %k: !q, %v: !q) -> !q attributes {kiln.kernel} {
  %0 = kiln.attention %q, %k, %v scale 1.0 : (!q, !q, !q) -> !q
  return %0 : !q
}
func.func private @layer_norm(%x: !q) -> !q attributes {kiln.kernel} {
  %0 = kiln.layer_norm %x epsilon 1.0e-05 : (!q) -> !q
  return %0 : !q
}
