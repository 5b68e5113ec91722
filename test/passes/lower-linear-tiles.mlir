// Tiles keep their sums in registers, also those of few rows with two panels.
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v3 --kiln-lower-to-llvm --kiln-emit=target=x86-64-v3 -o /dev/null | FileCheck %s --check-prefix=AVX2
// RUN: kiln-opt %s --kiln-cpu-pipeline=target=x86-64-v4 --kiln-lower-to-llvm --kiln-emit=target=x86-64-v4 -o /dev/null | FileCheck %s --check-prefix=AVX512

// AVX2: gemm.joint.f32.2:
// AVX2-NOT: {{rsp.*ymm|ymm.*rsp}}
// AVX2-COUNT-8: vfmadd{{.*}}%ymm
// AVX2-NOT: {{rsp.*ymm|ymm.*rsp}}
// AVX2: retq
// AVX2: gemm.f32.6:
// AVX2-NOT: {{rsp.*ymm|ymm.*rsp}}
// AVX2-COUNT-12: vfmadd{{.*}}%ymm
// AVX2-NOT: {{rsp.*ymm|ymm.*rsp}}
// AVX2: retq

// AVX512: gemm.f32.12:
// AVX512-NOT: {{rsp.*zmm|zmm.*rsp}}
// AVX512-COUNT-24: vfmadd{{.*}}%zmm
// AVX512-NOT: {{rsp.*zmm|zmm.*rsp}}
// AVX512: retq
// AVX512-NOT: gemm.joint
!x = tensor<?x70xf32, #kiln.dims<n, 70>>
!y = tensor<?x90xf32, #kiln.dims<n, 90>>
func.func @main(%x: !x, %w: tensor<90x70xf32> {kiln.role = "weight"}) -> !y {
  %t = kiln.permute %w [1, 0] : tensor<90x70xf32> -> tensor<70x90xf32>
  %0 = kiln.matmul %x, %t : (!x, tensor<70x90xf32>) -> !y
  return %0 : !y
}
