// Each level uses its registers and its multiply-add; none calls anything.
// RUN: kiln-opt %s --kiln-lower-to-llvm --kiln-emit=target=avx512 -o /dev/null | FileCheck %s --check-prefixes=CHECK,V4 --implicit-check-not=@PLT --implicit-check-not=@GOTPCREL
// RUN: kiln-opt %s --kiln-lower-to-llvm --kiln-emit=target=avx2 -o /dev/null | FileCheck %s --check-prefixes=CHECK,V3 --implicit-check-not=zmm --implicit-check-not=@PLT
// RUN: env KILN_CPU_WITHOUT=avx512f kiln-opt %s --kiln-lower-to-llvm --kiln-emit=target=native -o /dev/null | FileCheck %s --implicit-check-not=zmm
// RUN: kiln-opt %s --kiln-lower-to-llvm --kiln-emit=target=baseline -o /dev/null | FileCheck %s --check-prefixes=CHECK,V2 --implicit-check-not=ymm --implicit-check-not=@PLT

// CHECK: kiln_entry:
llvm.func @kiln_entry(%p: !llvm.ptr, %n: i64, %mask: vector<16xi1>) {
  %c0 = arith.constant 0 : i64
  %c16 = arith.constant 16 : i64
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %factor = arith.constant dense<3.0> : vector<16xf32>
  scf.for %i = %c0 to %n step %c16 : i64 {
    %q = llvm.getelementptr %p[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    // Masked lanes are not touched: by mask registers, by vmaskmov, or one by one.
    // V4: vmovups {{.*}}%zmm{{.*}} {%k1} {z}
    // V3: vmaskmovps {{.*}}%ymm
    %v = llvm.intr.masked.load %q, %mask, %zero {alignment = 4 : i32} : (!llvm.ptr, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
    // V4: vfmadd{{.*}}%zmm
    // V3: vfmadd{{.*}}%ymm
    // V2: mulps
    // V2: addps
    %a = vector.fma %v, %factor, %v : vector<16xf32>
    // V4: vrndscaleps {{.*}}%zmm
    // V3: vroundps {{.*}}%ymm
    // V2: roundps
    %r = llvm.intr.floor(%a) : (vector<16xf32>) -> vector<16xf32>
    llvm.store %r, %q {alignment = 4 : i64} : vector<16xf32>, !llvm.ptr
  }
  // Separate operations stay separate.
  // V4-NOT: vfm
  // V3-NOT: vfm
  // CHECK: retq
  %x = llvm.load %p : !llvm.ptr -> f32
  %y = arith.mulf %x, %x : f32
  %z = arith.addf %y, %x : f32
  llvm.store %z, %p : f32, !llvm.ptr
  llvm.return
}
