// RUN: not kiln-opt %s --kiln-outline 2>&1 | FileCheck %s
// RUN: not kiln-opt %s --kiln-lower-to-cpu 2>&1 | FileCheck %s
// The fusions go through every function, whatever its name: subgraphs have names of their own.
// RUN: kiln-opt %s --kiln-fuse-attention --kiln-fuse-linear --kiln-fuse-siblings --kiln-fuse-epilogue \
// RUN:   --kiln-fuse-gather --kiln-fuse-elementwise | FileCheck %s --check-prefix=FUSED

// CHECK: error: needs a function @main of one block
// FUSED: func.func @other
// FUSED-NEXT: kiln.fusion
// FUSED-NEXT: kiln.neg
// FUSED-NEXT: kiln.neg
func.func @other(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = kiln.neg %x : tensor<2xf32>
  %1 = kiln.neg %0 : tensor<2xf32>
  return %1 : tensor<2xf32>
}
