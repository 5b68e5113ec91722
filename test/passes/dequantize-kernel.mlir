// Packed rows that are looked up: decoded in registers, a block at a time, and the rows ahead are fetched.
// RUN: kiln-opt %s --split-input-file --kiln-lower-to-cpu=target=x86-64-v3 | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-lower-to-cpu=target=x86-64-v4 | FileCheck %s --check-prefix=WIDE

// 256 elements of a block, in vectors of 8, or of 16; quants are loaded as bytes; a scale is converted once.
// CHECK-LABEL: llvm.func private @rows.body
// CHECK-COUNT-5: llvm.intr.prefetch
// CHECK-NOT: llvm.intr.prefetch
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %
// CHECK-COUNT-2: arith.extf
// CHECK-NOT: arith.extf
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> vector<8xi8>
// CHECK: arith.mulf %{{.*}} : vector<8xf32>
// CHECK: arith.subf %{{.*}} : vector<8xf32>
// CHECK-COUNT-32: llvm.store %{{.*}} : vector<8xf32>, !llvm.ptr
// CHECK-NOT: llvm.store
// CHECK-LABEL: llvm.func private @rows(
// WIDE-LABEL: llvm.func private @rows.body
// WIDE: llvm.load %{{.*}} : !llvm.ptr -> vector<16xi8>
// WIDE-COUNT-16: llvm.store %{{.*}} : vector<16xf32>, !llvm.ptr
// WIDE-NOT: llvm.store
// WIDE-LABEL: llvm.func private @rows(
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x512xf32, #kiln.dims<n, 512>>
func.func @main(%t: tensor<9x288xui8>, %i: !i) -> !x {
  %0 = kiln.launch @rows(%t, %i) : (tensor<9x288xui8>, !i) -> !x
  return %0 : !x
}
func.func private @rows(%t: tensor<9x288xui8>, %i: !i) -> !x attributes {kiln.kernel} {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<9x288xui8>, !i) -> tensor<?x288xui8, #kiln.dims<n, 288>>
  %1 = kiln.dequantize %0 as "Q4_K" : tensor<?x288xui8, #kiln.dims<n, 288>> -> !x
  return %1 : !x
}

// -----

// Columns that begin anywhere are decoded lane by lane.
// CHECK-LABEL: llvm.func private @part.body
// CHECK-NOT: vector<8xi8>
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> i8
// CHECK: vector.insert
// CHECK-LABEL: llvm.func private @part(
func.func @main(%t: tensor<9x36xui8>) -> tensor<9x40xf32> {
  %0 = kiln.launch @part(%t) : (tensor<9x36xui8>) -> tensor<9x40xf32>
  return %0 : tensor<9x40xf32>
}
func.func private @part(%t: tensor<9x36xui8>) -> tensor<9x40xf32> attributes {kiln.kernel} {
  %0 = kiln.dequantize %t as "Q4_0" : tensor<9x36xui8> -> tensor<9x64xf32>
  %1 = kiln.slice %0 from <0, 3> to <9, 43> step [1, 1] : tensor<9x64xf32> -> tensor<9x40xf32>
  return %1 : tensor<9x40xf32>
}

// -----

// In front of a layer_norm the row is decoded once, by units, into the worker's memory.
// CHECK-LABEL: llvm.func private @norm.body
// CHECK-COUNT-2: llvm.intr.prefetch
// CHECK-NOT: llvm.intr.prefetch
// CHECK: arith.extf
// CHECK-NOT: arith.extf
// CHECK-COUNT-4: llvm.store %{{.*}} : vector<8xf32>, !llvm.ptr
// CHECK-NOT: arith.extf
// CHECK-LABEL: llvm.func private @norm(
func.func @main(%t: tensor<9x68xui8>, %i: tensor<5xi32>) -> tensor<5x64xf32> {
  %0 = kiln.launch @norm(%t, %i) : (tensor<9x68xui8>, tensor<5xi32>) -> tensor<5x64xf32>
  return %0 : tensor<5x64xf32>
}
func.func private @norm(%t: tensor<9x68xui8>, %i: tensor<5xi32>) -> tensor<5x64xf32> attributes {kiln.kernel} {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<9x68xui8>, tensor<5xi32>) -> tensor<5x68xui8>
  %1 = kiln.dequantize %0 as "Q8_0" : tensor<5x68xui8> -> tensor<5x64xf32>
  %2 = kiln.layer_norm %1 epsilon 1.0e-05 : (tensor<5x64xf32>) -> tensor<5x64xf32>
  return %2 : tensor<5x64xf32>
}
