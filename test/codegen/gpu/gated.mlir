// Two products that one tile needs both of: their sums stay in registers where these are enough, else the first
// ones wait in shared memory.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry linear_silu_mul_64(
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-NOT: st.shared
// CHECK: shfl.sync.bfly.b32
// CHECK: ret;
// CHECK-LABEL: .visible .entry linear_silu_mul_1_64(
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: st.shared.v2.b32
// CHECK: ld.shared.v4.b32
// CHECK: ret;
!x = tensor<?x64xbf16, #kiln.dims<n, 64>>
!y = tensor<?x96xbf16, #kiln.dims<n, 96>>
!w = tensor<96x64xbf16>
!f = tensor<?x64xf32, #kiln.dims<n, 64>>
!g = tensor<?x96xf32, #kiln.dims<n, 96>>
!v = tensor<96x64xf32>
func.func @main(%x: !x, %w: !w {kiln.role = "weight"}, %u: !w {kiln.role = "weight"},
                %f: !f, %v: !v {kiln.role = "weight"}, %t: !v {kiln.role = "weight"}) -> (!y, !g) {
  %0 = kiln.linear %x, weights(%w) : (!x, !w) -> !y
  %1 = kiln.linear %x, weights(%u) : (!x, !w) -> !y
  %2 = kiln.silu %0 : !y
  %3 = kiln.mul %2, %1 : !y
  %4 = kiln.linear %f, weights(%v) : (!f, !v) -> !g
  %5 = kiln.linear %f, weights(%t) : (!f, !v) -> !g
  %6 = kiln.silu %4 : !g
  %7 = kiln.mul %6, %5 : !g
  return %3, %7 : !y, !g
}
