// What multiplies bfloat16 on each target: the tiles' registers are numbers in the code, and the
// loops of a tile keep their sums in registers.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v3 | FileCheck %s --check-prefix=WIDE
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4 | FileCheck %s --check-prefix=WIDE
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16 | FileCheck %s --check-prefix=PAIRS
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 | FileCheck %s --check-prefix=TILES
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 | FileCheck %s --check-prefix=TASK
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16+amx-emulated | FileCheck %s --check-prefix=EMULATED
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16 --kiln-lower-to-llvm --kiln-emit=target=x86-64-v4+avx512bf16 -o /dev/null | FileCheck %s --check-prefix=ASM
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 --kiln-lower-to-llvm --kiln-emit=target=x86-64-v4+avx512bf16+amx-tile+amx-bf16 -o /dev/null | FileCheck %s --check-prefix=AMX

// WIDE-DAG: packings = {{\[}}["none"], ["rows:{{16|32}}"]]
// WIDE-DAG: @gemm.bf16(
// WIDE-NOT: dpbf16ps

// PAIRS-DAG: packings = {{\[}}["none"], ["row-pairs:64"]]
// PAIRS-DAG: @gemm.pairs(
// PAIRS: llvm.func private @gemm.pairs.6(
// PAIRS-COUNT-24: llvm.x86.avx512bf16.dpbf16ps.512

// 70 is two steps of 32 and a rest, which is multiplied in pairs.
// TILES-DAG: packings = {{\[}}["none"], ["row-pairs:64"]]
// TILES: llvm.func private @gemm.tiles(
// TILES: llvm.x86.tilezero
// TILES: llvm.x86.tileloadd64
// TILES: llvm.x86.tdpbf16ps
// TILES: llvm.x86.tilestored64
// TASK: llvm.x86.ldtilecfg
// TASK: llvm.call @gemm.tiles(
// TASK: llvm.call @gemm.pairs(
// TASK: llvm.x86.tilerelease

// EMULATED-NOT: llvm.x86.tile
// EMULATED: @tiles.tdpbf16ps(

// ASM: gemm.pairs.6:
// ASM-NOT: {{rsp.*zmm}}
// ASM-NOT: {{zmm.*rsp}}
// ASM-COUNT-24: vdpbf16ps {{.*}}%zmm
// ASM-NOT: {{rsp.*zmm}}
// ASM-NOT: {{zmm.*rsp}}
// ASM: retq

// AMX: ldtilecfg
// AMX: tilerelease
// AMX: gemm.tiles:
// AMX: tileloadd {{.*}}, %tmm4
// AMX-NEXT: tileloadd {{.*}}, %tmm5
// AMX-NEXT: tileloadd {{.*}}, %tmm6
// AMX-NEXT: tdpbf16ps %tmm6, %tmm4, %tmm0
// AMX-NEXT: tdpbf16ps %tmm6, %tmm5, %tmm2
// AMX: tileloadd {{.*}}, %tmm7
// AMX-NEXT: tdpbf16ps %tmm7, %tmm4, %tmm1
// AMX-NEXT: tdpbf16ps %tmm7, %tmm5, %tmm3
!x = tensor<?x70xbf16, #kiln.dims<n, 70>>
!y = tensor<?x90xbf16, #kiln.dims<n, 90>>
func.func @main(%x: !x, %w: tensor<90x70xbf16> {kiln.role = "weight"}) -> !y {
  %t = kiln.permute %w [1, 0] : tensor<90x70xbf16> -> tensor<70x90xbf16>
  %0 = kiln.matmul %x, %t : (!x, tensor<70x90xbf16>) -> !y
  return %0 : !y
}
