// RUN: kiln-opt %s --kiln-cpu-pipeline --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s
// Nothing more is printed without it, and the phases of a pass that is off are the same.
// RUN: kiln-opt %s --kiln-cpu-pipeline -o /dev/null 2>&1 | count 0
// RUN: kiln-opt %s --kiln-cpu-pipeline="disable=kiln-fuse-linear,kiln-fuse-elementwise" \
// RUN:   --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s --check-prefix=OFF
// RUN: not kiln-opt %s --kiln-cpu-pipeline=target=pdp-11 -o /dev/null 2>&1 | FileCheck %s --check-prefix=TARGET

// CHECK: // ----- // after phase "canonicalize" // ----- //
// CHECK-NEXT: module
// CHECK: kiln.exp
// CHECK-NOT: kiln.fusion
// CHECK: // ----- // after phase "fuse" // ----- //
// CHECK: kiln.fusion
// CHECK: // ----- // after phase "outline" // ----- //
// CHECK: kiln.launch @neg_exp
// CHECK: // ----- // after phase "lower" // ----- //
// CHECK: llvm.func @kiln_entry

// OFF: after phase "fuse"
// OFF-NOT: kiln.fusion
// OFF: after phase "outline"
// OFF: kiln.launch @neg(
// OFF: kiln.launch @exp(

// TARGET: error: unknown target "pdp-11": expected x86-64, x86-64-v3 or x86-64-v4
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = kiln.neg %x : tensor<4xf32>
  %1 = kiln.exp %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}
