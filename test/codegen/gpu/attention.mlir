// Attention: scores of 64 queries and 64 keys in registers, softmax as keys come, the product with v from
// the same registers; no score is stored.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry attention(
// CHECK: .maxntid 128
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: shfl.sync.bfly.b32
// CHECK: cvt.rn.bf16x2.f32
// CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: ret;

// CHECK-LABEL: .visible .entry attention_1(
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: ret;
!q = tensor<?x12x?x64xbf16, #kiln.dims<b, 12, s, 64>>
!f = tensor<?x?x12x32xf32, #kiln.dims<b, s, 12, 32>>
!m = tensor<?x1x1x?xi1, #kiln.dims<b, 1, 1, s>>
func.func @main(%q: !q, %k: !q, %v: !q, %x: !f, %y: !f, %z: !f, %m: !m) -> (!q, !f) {
  %0 = kiln.attention %q, %k, %v scale 1.250000e-01 : (!q, !q, !q) -> !q
  %1 = kiln.attention %x, %y, %z mask %m scale 0.176776695 layout "bshd" : (!f, !f, !f, !m) -> !f
  return %0, %1 : !q, !f
}
