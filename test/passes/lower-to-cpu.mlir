// What the lowered module says of itself; the kernels' code is the matter of test/codegen and test/run.
// RUN: kiln-opt %s --split-input-file --kiln-lower-to-cpu=target=x86-64-v3 | FileCheck %s

// Symbols in the order of main's arguments, a weight packed for its kernel, a gather's message, an output
// that is an input, and one workspace.
// CHECK: kiln.artifact = {
// CHECK-SAME: index_sites = {{\[}}[{{.*}}"net.cpp:3"]]
// CHECK-SAME: kernels = ["gather", "linear", "neg"]
// CHECK-SAME: output_aliases = [-1, 2]
// CHECK-SAME: packings = {{\[}}["none"], ["none"], ["rows:{{[0-9]+}}"]]
// CHECK-SAME: symbols = ["n"]
// CHECK-SAME: workspace = "{{.*}}n{{.*}}"
// CHECK: llvm.func @kiln_entry(
// CHECK: llvm.switch
// CHECK: %[[BAD:[a-z0-9]+]] = llvm.call @gather(
// CHECK: llvm.br ^[[AFTER:bb[0-9]+]](%[[BAD]] : i32)
// CHECK: llvm.call @linear(
// CHECK: llvm.br ^[[AFTER]]
// CHECK: llvm.call @neg(
// CHECK: llvm.br ^[[AFTER]]
// CHECK-NOT: func.func
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%t: tensor<4x2xf32>, %i: !i, %w: tensor<3x2xf32>) -> (!y, tensor<3x2xf32>) {
  %0 = kiln.launch @gather(%t, %i) : (tensor<4x2xf32>, !i) -> !x
  %1 = kiln.launch @linear(%0, %w) : (!x, tensor<3x2xf32>) -> !y
  %2 = kiln.launch @neg(%1) : (!y) -> !y
  return %2, %w : !y, tensor<3x2xf32>
}
func.func private @gather(%t: tensor<4x2xf32>, %i: !i) -> !x attributes {kiln.kernel} {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, !i) -> !x loc("net.cpp":3:1)
  return %0 : !x
}
func.func private @linear(%x: !x, %w: tensor<3x2xf32>) -> !y attributes {kiln.kernel} {
  %0 = kiln.linear %x, weights(%w) : (!x, tensor<3x2xf32>) -> !y
  return %0 : !y
}
func.func private @neg(%x: !y) -> !y attributes {kiln.kernel} {
  %0 = kiln.neg %x : !y
  return %0 : !y
}
