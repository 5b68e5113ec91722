// Attention's exponential is a power of two without divisions or reductions by ln 2; keys are
// transposed by shuffles of registers; the next head's rows are fetched.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4 | FileCheck %s
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v3 | FileCheck %s
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16 | FileCheck %s

// CHECK: llvm.func private @attention.body(
// CHECK: llvm.intr.prefetch
// CHECK: vector.shuffle
// CHECK: llvm.call @gemm.
// CHECK-NOT: 0.693359375
// CHECK: llvm.call @gemm.
// One division for each row, of a scalar.
// CHECK-NOT: arith.divf {{.*}} : vector
// CHECK: arith.divf {{.*}} : f32
!x = tensor<?x?x12x32xf32, #kiln.dims<b, s, 12, 32>>
!m = tensor<?x1x1x?xi1, #kiln.dims<b, 1, 1, s>>
func.func @main(%q: !x, %k: !x, %v: !x, %m: !m) -> !x {
  %0 = kiln.attention %q, %k, %v mask %m scale 0.17 layout "bshd" : (!x, !x, !x, !m) -> !x
  return %0 : !x
}
