// Elementwise kernels, views and gathers: 16 bytes a thread where rows allow it, the last vector of a
// long row element by element, indices checked beside the work and never read through.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 -o - | FileCheck %s --check-prefix=ARTIFACT

// ARTIFACT: kiln.artifact = {chip = "sm_80",
// ARTIFACT-SAME: device_functions = [
// ARTIFACT-SAME: {name = "add_gelu", parameters = 7 : i64, shared = 0 : i64, threads = 256 : i64}
// ARTIFACT-SAME: index_sites = {{\[}}[{{.*}}"net.cpp:3"]]
// ARTIFACT: gpu.module @kernels
// ARTIFACT: llvm.func @kiln_entry(

// CHECK: .target sm_80

// A flat row: two vectors in, one out, and single elements at its end.
// CHECK-LABEL: .visible .entry add_gelu(
// CHECK: .maxntid 256
// CHECK: st.global.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: ld.global.nc.v4.b32
// CHECK: fma.rn.f32
// CHECK: st.global.v4.b32
// CHECK: ret;

// Rows of a table: the report is made within the kernel, under a lock, for the smallest position.
// CHECK-LABEL: .visible .entry gather_add(
// CHECK: setp.lt.u64 %p{{[0-9]+}}, %rd{{[0-9]+}}, 1000;
// CHECK: atom.acquire.sys.global.cas.b32
// CHECK: setp.lt.u64 %p[[INSIDE:[0-9]+]], %rd{{[0-9]+}}, 1000;
// CHECK: selp.b64 %rd{{[0-9]+}}, %rd{{[0-9]+}}, 0, %p[[INSIDE]];
// CHECK: ld.global.nc.v4.b32
// CHECK: st.global.v4.b32
// CHECK: ret;

// bfloat16: eight elements in 16 bytes, two of them in an instruction; else widened and rounded.
// CHECK-LABEL: .visible .entry mul(
// CHECK: ld.global.nc.v4.b32
// CHECK-COUNT-4: fma.rn.bf16x2
// CHECK: st.global.v4.b32
// CHECK-LABEL: .visible .entry silu(
// CHECK: fma.rn.f32
// CHECK: cvt.rn.bf16x2.f32

// What is read across rows is read by single elements.
// CHECK-LABEL: .visible .entry permute_neg(
// CHECK-NOT: .v4
// CHECK: neg.f32
// CHECK: ret;

// A table of constants lies beside the code.
// CHECK-LABEL: .visible .entry add(
// CHECK: mov.b64 %rd{{[0-9]+}}, constant_3xi32_
!v = tensor<?xf32, #kiln.dims<n>>
!i = tensor<?xi64, #kiln.dims<n>>
!r = tensor<?x384xf32, #kiln.dims<n, 384>>
!t = tensor<384x?xf32, #kiln.dims<384, n>>
!h = tensor<?x384xbf16, #kiln.dims<n, 384>>
!c = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: !v, %y: !v, %t: tensor<1000x384xf32>, %i: !i, %b: tensor<384xf32>, %h: !h, %z: !c)
    -> (!v, !r, !h, !h, !t, !c) {
  %0 = kiln.add %x, %y : !v
  %1 = kiln.gelu %0 : !v
  %2 = kiln.gather %t[%i] axis 0 : (tensor<1000x384xf32>, !i) -> !r loc("net.cpp":3:1)
  %3 = kiln.add %2, %b : (!r, tensor<384xf32>) -> !r
  %4 = kiln.mul %h, %h : !h
  %silu = kiln.silu %h : !h
  %5 = kiln.permute %3 [1, 0] : !r -> !t
  %6 = kiln.neg %5 : !t
  %7 = kiln.constant dense<[1.0, 2.5, 4.0]> : tensor<3xf32>
  %8 = kiln.add %z, %7 : (!c, tensor<3xf32>) -> !c
  return %1, %3, %4, %silu, %6, %8 : !v, !r, !h, !h, !t, !c
}
