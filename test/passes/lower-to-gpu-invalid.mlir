// What has no lowering for an accelerator is refused by name.
// RUN: not kiln-opt %s --split-input-file --kiln-lower-to-gpu=chip=sm_80 2>&1 | FileCheck %s
// RUN: not kiln-opt %s --split-input-file --kiln-lower-to-gpu=chip=sm_12 2>&1 | FileCheck %s --check-prefix=CHIP

// CHIP: unknown chip "sm_12": expected sm_80, sm_90, sm_90a or sm_100

// CHECK: 'kiln.attention' op has no lowering for an accelerator with rows of 512 (q and k) and 512 (v) elements: at most 256 and 128
!q = tensor<1x2x3x512xf32>
func.func @main(%x: !q) -> !q {
  %0 = kiln.launch @attention(%x) : (!q) -> !q
  return %0 : !q
}
func.func private @attention(%x: !q) -> !q attributes {kiln.kernel} {
  %0 = kiln.attention %x, %x, %x scale 0.5 : (!q, !q, !q) -> !q
  return %0 : !q
}

// -----

// CHECK: 'kiln.attention' op of float64 has no lowering for an accelerator
!q = tensor<1x2x3x4xf64>
func.func @main(%x: !q) -> !q {
  %0 = kiln.launch @attention(%x) : (!q) -> !q
  return %0 : !q
}
func.func private @attention(%x: !q) -> !q attributes {kiln.kernel} {
  %0 = kiln.attention %x, %x, %x scale 0.5 : (!q, !q, !q) -> !q
  return %0 : !q
}
