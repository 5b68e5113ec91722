// Products with weights: tiles on tensor cores that asynchronous copies feed, gathered rows copied straight
// into them, float32 in three products of tf32, what follows on the sums in registers,
// a layer_norm as a function of its own.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// A few rows: 16 bytes of each of four columns and of the row, multiplied in float32, shuffles.
// CHECK-LABEL: .visible .entry linear_gelu_thin1(
// CHECK: .maxntid 256
// CHECK-COUNT-5: ld.global.nc.v4.b32
// CHECK: fma.rn.f32
// CHECK-COUNT-6: shfl.sync.bfly.b32
// CHECK: ret;
// CHECK-LABEL: .visible .entry linear_gelu_thin4(
// CHECK-COUNT-8: ld.global.nc.v4.b32
// CHECK-COUNT-16: shfl.sync.bfly.b32
// CHECK: ret;
// CHECK-LABEL: .visible .entry linear_gelu_64(
// CHECK: .maxntid 128
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.commit_group
// CHECK: cp.async.wait_group 2
// CHECK: bar.sync
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: cp.async.wait_group 0
// What follows is made of the sums in registers, four neighbours at once; or sums of a part of k are kept.
// CHECK-NOT: st.shared
// CHECK-DAG: shfl.sync.bfly.b32
// CHECK-DAG: st.global.v2.b32
// CHECK: ret;
// Parts of k are added up in order.
// CHECK-LABEL: .visible .entry linear_gelu_sum(
// CHECK-NOT: red.
// CHECK: ld.global.v4.b32
// CHECK: add.rn.f32
// CHECK: ret;
// CHECK-LABEL: .visible .entry linear_gelu_128(
// CHECK: .maxntid 256
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK: ret;

// Indices are read before the loop, rows of the table copied within it.
// CHECK-LABEL: .visible .entry gather_linear_64(
// CHECK: ld.global.nc.b64
// CHECK: cp.async.cg.shared.global
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: ret;

// CHECK-LABEL: .visible .entry linear_add_layer_norm_64(
// CHECK: ret;
// CHECK-LABEL: .visible .entry linear_add_layer_norm_norm(
// CHECK: shfl.sync.bfly.b32
// CHECK: ret;

// With less precision float32 is rounded on its way to the registers' use, and multiplied once.
// RUN: kiln-opt %s --kiln-gpu-pipeline="chip=sm_80 precision=high" --kiln-to-ptx -o /dev/null | FileCheck %s --check-prefix=HIGH
// RUN: kiln-opt %s --kiln-gpu-pipeline="chip=sm_80 precision=bf16" --kiln-to-ptx -o /dev/null | FileCheck %s --check-prefix=BF16
// HIGH-LABEL: .visible .entry gather_linear_64(
// HIGH: cvt.rna.tf32.f32
// HIGH: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// HIGH: ret;
// BF16-LABEL: .visible .entry gather_linear_64(
// BF16-NOT: tf32
// BF16: cvt.rn.bf16x2.f32
// BF16: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// BF16-NOT: tf32
// BF16: ret;
// RUN: not kiln-opt %s --kiln-gpu-pipeline="precision=low" -o /dev/null 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: unknown precision "low": expected highest, high or bf16
!x = tensor<?x1024xbf16, #kiln.dims<n, 1024>>
!h = tensor<?x3072xbf16, #kiln.dims<n, 3072>>
!i = tensor<?xi64, #kiln.dims<n>>
!r = tensor<?x384xf32, #kiln.dims<n, 384>>
func.func @main(%x: !x, %w: tensor<3072x1024xbf16> {kiln.role = "weight"}, %b: tensor<3072xbf16>,
                %t: tensor<1000x384xf32>, %i: !i, %v: tensor<384x384xf32> {kiln.role = "weight"},
                %r: !r, %g: tensor<384xf32>) -> (!h, !r, !r) {
  %0 = kiln.linear %x, weights(%w) biases(%b) : (!x, tensor<3072x1024xbf16>, tensor<3072xbf16>) -> !h
  %1 = kiln.gelu %0 : !h
  %2 = kiln.gather %t[%i] axis 0 : (tensor<1000x384xf32>, !i) -> !r
  %3 = kiln.linear %2, weights(%v) : (!r, tensor<384x384xf32>) -> !r
  %4 = kiln.linear %r, weights(%v) biases(%g) : (!r, tensor<384x384xf32>, tensor<384xf32>) -> !r
  %5 = kiln.add %4, %r : !r
  %6 = kiln.layer_norm %5, %g, %g epsilon 1.0e-5 : (!r, tensor<384xf32>, tensor<384xf32>) -> !r
  return %1, %3, %6 : !h, !r, !r
}
