// What becomes of a rank's program: collectives stand between kernels, everything else fuses as ever.
// RUN: kiln-opt %s --split-input-file --kiln-partition --kiln-fuse-linear --kiln-fuse-epilogue --kiln-fuse-gather --kiln-fuse-elementwise --kiln-outline --cse | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-cpu-pipeline=target=x86-64-v3 | FileCheck %s --check-prefix=CODE
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-partition --kiln-fuse-linear --kiln-fuse-epilogue --kiln-fuse-gather --kiln-fuse-elementwise --kiln-outline --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// The sum of the rows of two tables is reduced once, in the workspace where the kernel wrote it: rows
// of 16 bytes. The place of a third one is another shape. It is the runtime's function at offset 48.
// CHECK: func.func @main
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.launch @gather_gather_add(
// CHECK-NEXT: %[[B:[a-z0-9]+]] = kiln.all_reduce %[[A]]
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.launch @gather(
// CHECK-NEXT: %[[D:[a-z0-9]+]] = kiln.all_reduce %[[C]] "sum" : tensor<4xf32>
// CHECK-NEXT: %[[E:[a-z0-9]+]] = kiln.launch @add_layer_norm(%[[B]], %[[D]])
// CHECK-NEXT: return %[[E]]
// CODE: workspace = "((n + 3) / 4) * 64 + 64"
// CODE: llvm.func @kiln_entry(%[[RT:[a-z0-9]+]]: !llvm.ptr
// CODE: llvm.call @gather_gather_add(
// CODE: arith.constant 48 : i64
// CODE: %[[F:[a-z0-9]+]] = llvm.load
// CODE: llvm.call %[[F]](%[[RT]], %[[X:[a-z0-9]+]], %[[X]], %{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64, i64) -> ()
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x4xf32, #kiln.dims<n, 4>>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<5x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
                  %u: tensor<4x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %i: !i, %j: !i, %k: tensor<i64>) -> !x {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x4xf32>, !i) -> !x
    %1 = kiln.gather %u[%j] axis 0 : (tensor<4x4xf32>, !i) -> !x
    %2 = kiln.add %0, %1 : !x
    %3 = kiln.gather %u[%k] axis 0 : (tensor<4x4xf32>, tensor<i64>) -> tensor<4xf32>
    %4 = kiln.add %2, %3 : (!x, tensor<4xf32>) -> !x
    %5 = kiln.layer_norm %4 epsilon 1.0e-05 : (!x) -> !x
    return %5 : !x
  }
}

// -----

// Rows of a part of a table go straight into a product that makes them smaller: only its result is
// reduced, in the output.
// CHECK: func.func @main
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.launch @gather_linear(
// CHECK-NEXT: %[[B:[a-z0-9]+]] = kiln.all_reduce %[[A]]
// CHECK-NEXT: return %[[B]]
// CHECK: func.func private @gather_linear
// CHECK-NEXT: kiln.gather %{{.*}} total 5
// CHECK-NEXT: kiln.linear
// CODE: workspace = "0"
// CODE: llvm.call @gather_linear(
// CODE: llvm.call %{{.*}}(%{{.*}}, %[[X:[a-z0-9]+]], %[[X]], %{{.*}}, %{{.*}})
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x4xf32, #kiln.dims<n, 4>>
!y = tensor<?x2xf32, #kiln.dims<n, 2>>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<5x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %w: tensor<2x4xf32> {kiln.role = "weight"}, %i: !i) -> !y {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x4xf32>, !i) -> !x
    %1 = kiln.permute %w [1, 0] : tensor<2x4xf32> -> tensor<4x2xf32>
    %2 = kiln.matmul %0, %1 : (!x, tensor<4x2xf32>) -> !y
    return %2 : !y
  }
}

// -----

// Columns of a weight that is a result, read as they lie: the function at offset 56.
// CHECK: func.func @main
// CHECK-NEXT: %[[W:[a-z0-9]+]] = kiln.all_gather %arg0 axis 1 ranks 2
// CHECK-NEXT: return %[[W]]
// CODE: packings = {{\[}}["none"]]
// CODE: arith.constant 56 : i64
// CODE: %[[F:[a-z0-9]+]] = llvm.load
// CODE: llvm.call %[[F]](
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%w: tensor<3x4xf32> {kiln.role = "weight", kiln.shard = 1 : i64}) -> tensor<3x4xf32> {
    return %w : tensor<3x4xf32>
  }
}

// -----

// Not in place: the operand is needed afterwards, under another name.
// CODE: workspace = "128"
// CODE: llvm.call @neg
// CODE: llvm.call %{{.*}}(%{{.*}}, %[[X:[a-z0-9]+]], %[[Y:[a-z0-9]+]], %{{.*}}, %{{.*}})
// CODE-NOT: llvm.call %{{.*}}(%{{.*}}, %[[X]], %[[X]],
// CODE: llvm.call @add
!x = tensor<4xf32>
func.func @main(%x: !x) -> (!x, tensor<2x2xf32>) {
  %0 = kiln.neg %x : !x
  %1 = kiln.reshape %0 to <2, 2> : !x -> tensor<2x2xf32>
  %2 = kiln.all_reduce %0 "sum" : !x
  %3 = kiln.add %2, %2 : !x
  %4 = kiln.exp %1 : tensor<2x2xf32>
  return %3, %4 : !x, tensor<2x2xf32>
}
