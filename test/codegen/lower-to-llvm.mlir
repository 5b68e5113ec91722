// One conversion takes scf, cf, arith, index, vector and func to the LLVM dialect.
// RUN: kiln-opt %s --kiln-lower-to-llvm | FileCheck %s --implicit-check-not=unrealized

// CHECK-LABEL: llvm.func @loop(
// CHECK-SAME:    %{{.*}}: !llvm.ptr, %[[N:.*]]: i64) -> f32
func.func @loop(%p: !llvm.ptr, %n: index) -> f32 {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant dense<0.0> : vector<8xf32>
  // CHECK: llvm.br ^[[HEAD:.*]](%{{.*}}, %{{.*}} : i64, vector<8xf32>)
  // CHECK: ^[[HEAD]](%[[I:.*]]: i64, %[[S:.*]]: vector<8xf32>)
  // CHECK: llvm.icmp "slt" %[[I]], %[[N]] : i64
  // CHECK: llvm.cond_br
  %sum = scf.for %i = %c0 to %n step %c8 iter_args(%s = %zero) -> (vector<8xf32>) {
    %i64 = arith.index_cast %i : index to i64
    // CHECK: llvm.getelementptr %{{.*}}[%[[I]]] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %q = llvm.getelementptr %p[%i64] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    // CHECK: llvm.load %{{.*}} {alignment = 4 : i64}
    %v = llvm.load %q {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
    // One rounding or two, as the target can.
    // CHECK: llvm.intr.fmuladd(%{{.*}}, %{{.*}}, %[[S]])
    %t = vector.fma %v, %v, %s : vector<8xf32>
    scf.yield %t : vector<8xf32>
  }
  // CHECK: llvm.intr.vector.reduce.fadd
  %r = vector.reduction <add>, %sum : vector<8xf32> into f32
  return %r : f32
}

// CHECK-LABEL: llvm.func @choose(
func.func @choose(%which: i1, %x: f32) -> vector<4xf32> {
  // CHECK: llvm.cond_br
  %r = scf.if %which -> f32 {
    %y = arith.mulf %x, %x : f32
    scf.yield %y : f32
  } else {
    scf.yield %x : f32
  }
  // CHECK: llvm.shufflevector
  %v = vector.broadcast %r : f32 to vector<4xf32>
  return %v : vector<4xf32>
}

// The address of a function.
// CHECK-LABEL: llvm.func @address()
func.func @address() -> !llvm.ptr {
  // CHECK: %[[A:.*]] = llvm.mlir.addressof @choose
  // CHECK: llvm.return %[[A]]
  %f = func.constant @choose : (i1, f32) -> vector<4xf32>
  %p = builtin.unrealized_conversion_cast %f : (i1, f32) -> vector<4xf32> to !llvm.ptr
  return %p : !llvm.ptr
}
