// On sm_90a large products of 16-bit floats are made by wgmma: weights are packed in tiles that one bulk copy
// fetches, rows of x come by cp.async, and warps that copy give registers to those that multiply. Smaller tiles,
// for few rows, read the same weights.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_90a --kiln-to-ptx -o /dev/null | FileCheck %s
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_90a | FileCheck %s --check-prefix=ARTIFACT
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_90 --kiln-to-ptx -o /dev/null | FileCheck %s --check-prefix=PLAIN
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_90 | FileCheck %s --check-prefix=PLAIN-ARTIFACT

// ARTIFACT: packings = {{.*}}"row-tiles:256"{{.*}}"column-tiles:256"
// PLAIN-NOT: wgmma
// PLAIN: .target sm_90{{$}}
// PLAIN-NOT: wgmma
// PLAIN-ARTIFACT-NOT: tiles:256

// CHECK: .target sm_90a
// CHECK-LABEL: .visible .entry linear_gelu_64(
// CHECK: mma.sync.aligned.m16n8k16
// CHECK-LABEL: .visible .entry linear_gelu_128(
// CHECK: mma.sync.aligned.m16n8k16
// CHECK-LABEL: .visible .entry linear_gelu_wgmma(
// CHECK: .maxntid 384
// CHECK: .minnctapersm 1
// CHECK: mbarrier.init.shared::cta.b64 {{.*}}, 5;
// CHECK: mbarrier.init.shared::cta.b64 {{.*}}, 8;
// CHECK: fence.proxy.async.shared::cta
// CHECK: bar.sync 0
// CHECK: setmaxnreg.dec.sync.aligned.u32 104
// CHECK: mbarrier.try_wait.parity.shared::cta.b64
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, {{.*}}, 32768;
// CHECK: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes {{.*}}, 32768,
// CHECK-COUNT-8: cp.async.cg.shared.global
// CHECK: cp.async.wait_group 2
// CHECK: fence.proxy.async.shared::cta
// CHECK: bar.warp.sync
// CHECK: mbarrier.arrive.shared::cta.b64
// CHECK: setmaxnreg.inc.sync.aligned.u32 200
// CHECK: mbarrier.try_wait.parity.shared::cta.b64
// CHECK: wgmma.fence.sync.aligned
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16
// CHECK: wgmma.commit_group.sync.aligned
// CHECK: wgmma.wait_group.sync.aligned 1
// CHECK: mbarrier.arrive.shared::cta.b64
// CHECK: wgmma.wait_group.sync.aligned 0
// CHECK: bar.sync 1, 256
// CHECK: st.shared.v2.b32
// CHECK: bar.sync 1, 256
// CHECK: ret;

// CHECK-LABEL: .visible .entry linear_wgmma(
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n256k16.f32.f16.f16

// Two products that are needed together share a stage.
// CHECK-LABEL: .visible .entry linear_relu_mul_wgmma(
// CHECK: mbarrier.arrive.expect_tx.shared::cta.b64 _, {{.*}}, 32768;
// CHECK-COUNT-2: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes {{.*}}, 16384,
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16

// Too narrow: as everywhere.
// CHECK-LABEL: .visible .entry linear_relu_mul_thin1_1(
// CHECK-NOT: wgmma
!x = tensor<?x768xbf16, #kiln.dims<n, 768>>
!h = tensor<?x3072xbf16, #kiln.dims<n, 3072>>
!s = tensor<?x100xbf16, #kiln.dims<n, 100>>
!y = tensor<?x504xf16, #kiln.dims<n, 504>>
!z = tensor<?x1024xf16, #kiln.dims<n, 1024>>
func.func @main(%x: !x, %w: tensor<3072x768xbf16> {kiln.role = "weight"}, %b: tensor<3072xbf16>,
                %y: !y, %v: tensor<504x1024xf16> {kiln.role = "weight"},
                %s: tensor<100x768xbf16> {kiln.role = "weight"},
                %g: tensor<3072x768xbf16> {kiln.role = "weight"},
                %u: tensor<3072x768xbf16> {kiln.role = "weight"}) -> (!h, !z, !h, !s) {
  %0 = kiln.linear %x, weights(%w) biases(%b) : (!x, tensor<3072x768xbf16>, tensor<3072xbf16>) -> !h
  %1 = kiln.gelu %0 : !h
  %2 = kiln.matmul %y, %v : (!y, tensor<504x1024xf16>) -> !z
  %3 = kiln.linear %x, weights(%g) : (!x, tensor<3072x768xbf16>) -> !h
  %4 = kiln.linear %x, weights(%u) : (!x, tensor<3072x768xbf16>) -> !h
  %5 = kiln.relu %3 : !h
  %6 = kiln.mul %5, %4 : !h
  %7 = kiln.linear %x, weights(%s) : (!x, tensor<100x768xbf16>) -> !s
  return %1, %2, %6, %7 : !h, !z, !h, !s
}
