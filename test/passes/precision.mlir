// Products of float32 are rounded to bfloat16 only where that is asked for.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16 | FileCheck %s --check-prefix=HIGHEST
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4+avx512bf16 precision=high" | FileCheck %s --check-prefix=HIGHEST
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4+avx512bf16 precision=bf16" | FileCheck %s --check-prefix=BF16
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4 precision=bf16" | FileCheck %s --check-prefix=HIGHEST
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4+avx512bf16+amx-tile+amx-bf16" | FileCheck %s --check-prefix=HIGHEST
// RUN: kiln-opt %s --kiln-cpu-pipeline="target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 precision=high" | FileCheck %s --check-prefix=HIGH
// RUN: not kiln-opt %s --kiln-cpu-pipeline=precision=fp8 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// HIGHEST: packings = {{\[}}["none"], ["columns:32"]]
// HIGHEST: @gemm.{{(half.)?}}f32(
// Two parts: three products of tiles.
// HIGH: packings = {{\[}}["none"], ["column-parts:64"]]
// HIGH: llvm.x86.avx512bf16.cvtneps2bf16.512
// HIGH: llvm.x86.avx512bf16.cvtneps2bf16.512
// HIGH: call @gemm.tiles(
// HIGH: call @gemm.tiles(
// HIGH: call @gemm.tiles(
// HIGH-NOT: call @gemm.tiles(
// BF16: packings = {{\[}}["none"], ["column-pairs:64"]]
// BF16: llvm.x86.avx512bf16.cvtneps2bf16.512
// UNKNOWN: error: unknown precision "fp8": expected highest, high or bf16
!x = tensor<?x256xf32, #kiln.dims<n, 256>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: !x, %w: tensor<256x3xf32> {kiln.role = "weight"}) -> !y {
  %0 = kiln.matmul %x, %w : (!x, tensor<256x3xf32>) -> !y
  return %0 : !y
}
