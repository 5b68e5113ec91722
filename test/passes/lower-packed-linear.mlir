// What multiplies packed weights on each target.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64 | FileCheck %s --check-prefixes=CHECK,SSE
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v3 | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512vnni | FileCheck %s --check-prefixes=CHECK,VNNI
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4+avx512vnni int8-activations=true" | FileCheck %s --check-prefixes=INT8
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512vnni --kiln-lower-to-llvm --kiln-emit=target=x86-64-v4+avx512vnni | FileCheck %s --check-prefix=ASM

// The weight comes as it is. A panel of it is decoded for many rows; for few, rows of x become
// integers of three bytes (one as an option).
// CHECK-DAG: packings = {{\[}}["none"], ["none"]]
// CHECK-DAG: @decode.Q4_K(
// CHECK-DAG: @gemm.f32(
// CHECK-DAG: @integers.3.256(
// CHECK: llvm.func private @dots.Q4_K.3.256.1(
// SSE: llvm.x86.ssse3.pmadd.ub.sw.128
// SSE: llvm.x86.sse2.pmadd.wd
// AVX2: llvm.x86.avx2.pmadd.ub.sw
// AVX2: llvm.x86.avx2.pmadd.wd
// VNNI-COUNT-12: llvm.x86.avx512.vpdpbusd.512
// INT8-DAG: @integers.1.256(
// INT8-DAG: @dots.Q4_K.1.256.1(
// INT8-DAG: @dots.Q4_K.1.256.4(
// ASM: dots.Q4_K.3.256.1:
// ASM: vpdpbusd
!x = tensor<?x256xf32, #kiln.dims<n, 256>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: !x, %w: tensor<3x144xui8> {kiln.role = "weight"}) -> !y {
  %d = kiln.dequantize %w as "Q4_K" : tensor<3x144xui8> -> tensor<3x256xf32>
  %t = kiln.permute %d [1, 0] : tensor<3x256xf32> -> tensor<256x3xf32>
  %0 = kiln.matmul %x, %t : (!x, tensor<256x3xf32>) -> !y
  return %0 : !y
}
