// What is added to a linear's results is fetched a panel ahead, as rows lie pages apart; a bias is not.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4 | FileCheck %s

// Of the sum that is stored, and of the argument beside it.
// CHECK-LABEL: llvm.func private @linear_add.body(
// CHECK: llvm.intr.prefetch{{.*}}rw = 0 :
// CHECK: llvm.intr.prefetch{{.*}}rw = 1 :
// CHECK-NOT: llvm.intr.prefetch
// CHECK: llvm.func
!x = tensor<?x64xf32, #kiln.dims<n, 64>>
!y = tensor<?x96xf32, #kiln.dims<n, 96>>
func.func @main(%x: !x, %other: !y, %w: tensor<96x64xf32> {kiln.role = "weight"}, %b: tensor<96xf32> {kiln.role = "weight"}) -> !y {
  %t = kiln.permute %w [1, 0] : tensor<96x64xf32> -> tensor<64x96xf32>
  %0 = kiln.matmul %x, %t : (!x, tensor<64x96xf32>) -> !y
  %1 = kiln.add %0, %b : (!y, tensor<96xf32>) -> !y
  %2 = kiln.add %1, %other : (!y, !y) -> !y
  return %2 : !y
}
