// Products without weights: the second operand goes to shared memory as it lies, [k, columns], and is transposed
// on its way to the registers.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry matmul(
// CHECK: cp.async.cg.shared.global
// CHECK-NOT: ld.global
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: ret;
// CHECK-LABEL: .visible .entry matmul_1(
// CHECK: cp.async.cg.shared.global
// CHECK-NOT: ld.global
// CHECK: ld.shared.b32
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: ret;
!x = tensor<?x96x64xbf16, #kiln.dims<b, 96, 64>>
!y = tensor<?x64x80xbf16, #kiln.dims<b, 64, 80>>
!z = tensor<?x96x80xbf16, #kiln.dims<b, 96, 80>>
!f = tensor<?x40xf32, #kiln.dims<n, 40>>
!g = tensor<40x24xf32>
!h = tensor<?x24xf32, #kiln.dims<n, 24>>
func.func @main(%x: !x, %y: !y, %f: !f, %g: !g) -> (!z, !h) {
  %0 = kiln.matmul %x, %y : (!x, !y) -> !z
  %1 = kiln.matmul %f, %g : (!f, !g) -> !h
  return %0, %1 : !z, !h
}
