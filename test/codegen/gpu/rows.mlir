// Kernels around a row: a warp for each row that fits into its registers, a block for each longer one,
// elements read once where they are kept and shuffles between the threads.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry layer_norm(
// CHECK: .maxntid 128
// CHECK-COUNT-3: ld.global.nc.v4.b32
// CHECK-COUNT-5: shfl.sync.bfly.b32
// CHECK-NOT: bar.sync
// CHECK: sqrt.rn.f32
// CHECK: st.global.v4.b32
// CHECK: ret;

// CHECK-LABEL: .visible .entry layer_norm_1(
// CHECK: .maxntid 256
// CHECK: ld.global.nc.v4.b32
// CHECK: bar.sync
// CHECK: ld.shared.b32
// CHECK: ret;

// CHECK-LABEL: .visible .entry softmax(
// CHECK: setp.nan.f32
// CHECK: shfl.sync.bfly.b32
// CHECK: ret;

// Along another axis: each thread has a column of four.
// CHECK-LABEL: .visible .entry mean(
// CHECK-NOT: shfl
// CHECK: ld.global.nc.v4.b32
// CHECK: st.global.v4.b32
// CHECK: ret;

// Value and place go through the shuffles.
// CHECK-LABEL: .visible .entry argmax(
// CHECK-COUNT-15: shfl.sync.bfly.b32
// CHECK: st.global.b64
// CHECK: ret;
!s = tensor<?x384xf32, #kiln.dims<n, 384>>
!l = tensor<?x4096xf32, #kiln.dims<n, 4096>>
!p = tensor<?x?xf32, #kiln.dims<n, m>>
!b = tensor<?x?x384xf32, #kiln.dims<n, m, 384>>
!m = tensor<?x1x384xf32, #kiln.dims<n, 1, 384>>
!a = tensor<?x1xi64, #kiln.dims<n, 1>>
func.func @main(%x: !s, %w: tensor<384xf32>, %y: !l, %v: tensor<4096xf32>, %z: !p, %b: !b) -> (!s, !l, !p, !m, !a) {
  %0 = kiln.layer_norm %x, %w, %w epsilon 1.0e-5 : (!s, tensor<384xf32>, tensor<384xf32>) -> !s
  %1 = kiln.layer_norm %y, %v, %v epsilon 1.0e-5 : (!l, tensor<4096xf32>, tensor<4096xf32>) -> !l
  %2 = kiln.softmax %z axis 1 : !p
  %3 = kiln.mean %b axis 1 : (!b) -> !m
  %4 = kiln.argmax %z axis 1 : (!p) -> !a
  return %0, %1, %2, %3, %4 : !s, !l, !p, !m, !a
}
