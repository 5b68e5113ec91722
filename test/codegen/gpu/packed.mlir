// Weights that stay packed: their bytes are read, and decoded on the way to shared memory, or, for a few rows,
// to the registers in which they are multiplied.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry dequantize_linear_thin1(
// CHECK-NOT: mma.sync
// CHECK: ld.global.nc.b8
// CHECK: cvt.f32.f16
// CHECK: fma.rn.f32
// CHECK: ret;
// CHECK-LABEL: .visible .entry dequantize_linear_64(
// CHECK: cvt.f32.f16
// CHECK: st.shared.v4.b32
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: ret;
!x = tensor<?x256xf32, #kiln.dims<n, 256>>
!y = tensor<?x30xf32, #kiln.dims<n, 30>>
func.func @main(%x: !x, %w: tensor<30x144xui8> {kiln.role = "weight"}) -> !y {
  %d = kiln.dequantize %w as "Q4_K" : tensor<30x144xui8> -> tensor<30x256xf32>
  %t = kiln.permute %d [1, 0] : tensor<30x256xf32> -> tensor<256x30xf32>
  %0 = kiln.matmul %x, %t : (!x, tensor<256x30xf32>) -> !y
  return %0 : !y
}
