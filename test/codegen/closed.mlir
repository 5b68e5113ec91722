// An image is laid out only if it is closed.
// RUN: split-file %s %t
// RUN: kiln-opt %t/good.mlir --kiln-emit="target=baseline kind=symbols" -o /dev/null | FileCheck %t/good.mlir
// RUN: not kiln-opt %t/library.mlir --kiln-emit="target=baseline kind=symbols" 2>&1 | FileCheck %t/library.mlir
// RUN: not kiln-opt %t/writable.mlir --kiln-emit="target=baseline kind=symbols" 2>&1 | FileCheck %t/writable.mlir
// RUN: not kiln-opt %t/good.mlir --kiln-emit="target=pentium" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not kiln-opt %t/good.mlir --kiln-emit="target=baseline kind=hex" 2>&1 | FileCheck %s --check-prefix=KIND

// TARGET: unknown target 'pentium': choose one of native, x86-64, x86-64-v3, x86-64-v4
// KIND: unknown kind 'hex': choose asm, llvm or symbols

//--- good.mlir
// CHECK: image: {{[0-9]+}} bytes
// CHECK-NEXT: 0 {{ *[0-9]+}} helper
// CHECK-NEXT: {{[0-9]+ +[0-9]+}} kiln_entry
llvm.func @helper(%x: i64) -> i64 attributes {no_inline} {
  %y = llvm.mul %x, %x : i64
  llvm.return %y : i64
}
llvm.func @kiln_entry(%x: i64) -> i64 {
  %y = llvm.call @helper(%x) : (i64) -> i64
  llvm.return %y : i64
}

//--- library.mlir
// CHECK: the code refers to the symbol 'fmod', which is not defined in it: compiled code is closed
llvm.func @kiln_entry(%x: f64) -> f64 {
  %y = llvm.frem %x, %x : f64
  llvm.return %y : f64
}

//--- writable.mlir
// CHECK: writable or absolute data in section .{{.*}} (of 'state')
llvm.mlir.global internal @state(7 : i64) : i64
llvm.func @kiln_entry(%x: i64) {
  %p = llvm.mlir.addressof @state : !llvm.ptr
  llvm.store volatile %x, %p : i64, !llvm.ptr
  llvm.return
}
