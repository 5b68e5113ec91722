// RUN: kiln-opt %s --split-input-file --kiln-fuse-gather | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-gather --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// gather + linear + bias, gather + cast + linear: a linear that is in no kernel yet, and one that is.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK-NEXT: %[[G:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[Y:[a-z0-9]+]] = kiln.linear %[[G]], weights(%{{.*}}) biases
// CHECK-NEXT: kiln.yield %[[Y]]
// CHECK: kiln.fusion
// CHECK-NEXT: %[[H:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.cast %[[H]]
// CHECK-NEXT: %[[Z:[a-z0-9]+]] = kiln.linear %[[C]]
// CHECK-NEXT: kiln.neg %[[Z]]
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%t: tensor<4x2xf32>, %h: tensor<4x2xf16>, %i: !i, %w: tensor<3x2xf32>, %b: tensor<3xf32>) -> (!y, !y) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, !i) -> !x
  %1 = kiln.linear %0, weights(%w) biases(%b) : (!x, tensor<3x2xf32>, tensor<3xf32>) -> !y
  %2 = kiln.gather %h[%i] axis 0 : (tensor<4x2xf16>, !i) -> tensor<?x2xf16, #kiln.dims<n, 2>>
  %3 = kiln.cast %2 to f32 : tensor<?x2xf16, #kiln.dims<n, 2>> -> !x
  %4 = kiln.fusion (%a = %3 : !x, %c = %w : tensor<3x2xf32>) -> !y {
    %5 = kiln.linear %a, weights(%c) : (!x, tensor<3x2xf32>) -> !y
    %6 = kiln.neg %5 : !y
    kiln.yield %6 : !y
  }
  return %1, %4 : !y, !y
}

// -----

// gather + add + layer_norm: embeddings of words and positions, and a row for all.
// CHECK: func.func @main
// CHECK-NEXT: kiln.iota
// CHECK-NEXT: kiln.fusion
// CHECK-COUNT-2: kiln.gather
// CHECK-COUNT-2: kiln.add
// CHECK-NEXT: kiln.layer_norm
// CHECK-NEXT: kiln.yield
!i = tensor<?x?xi64, #kiln.dims<b, s>>
!x = tensor<?x?x2xf32, #kiln.dims<b, s, 2>>
!p = tensor<?x2xf32, #kiln.dims<s, 2>>
func.func @main(%w: tensor<4x2xf32>, %p: tensor<4x2xf32>, %r: tensor<2xf32>, %i: !i) -> !x {
  %n = kiln.iota <s> from 0 : i64 step 1 : i64 of i64 : tensor<?xi64, #kiln.dims<s>>
  %0 = kiln.gather %w[%i] axis 0 : (tensor<4x2xf32>, !i) -> !x
  %1 = kiln.gather %p[%n] axis 0 : (tensor<4x2xf32>, tensor<?xi64, #kiln.dims<s>>) -> !p
  %2 = kiln.add %0, %1 : (!x, !p) -> !x
  %3 = kiln.add %2, %r : (!x, tensor<2xf32>) -> !x
  %4 = kiln.layer_norm %3 epsilon 1.0e-05 : (!x) -> !x
  return %4 : !x
}

// -----

// Refused: the gathered rows are used elsewhere; they are stored anyway.
// CHECK: func.func @main
// CHECK-NEXT: kiln.gather
// CHECK-NOT: kiln.fusion
// CHECK: kiln.linear
func.func @main(%t: tensor<4x2xf32>, %i: tensor<3xi64>, %w: tensor<5x2xf32>) -> (tensor<3x5xf32>, tensor<3x2xf32>) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %1 = kiln.linear %0, weights(%w) : (tensor<3x2xf32>, tensor<5x2xf32>) -> tensor<3x5xf32>
  return %1, %0 : tensor<3x5xf32>, tensor<3x2xf32>
}

// -----

// Refused: rows that are the residual as well, or a bias; no gather leads to x.
// CHECK: func.func @main
// CHECK-NEXT: kiln.gather
// CHECK-NEXT: kiln.gather
// CHECK-NEXT: kiln.fusion
// CHECK-NOT: kiln.gather
// CHECK: kiln.linear
// CHECK: kiln.neg
// CHECK-NEXT: kiln.layer_norm
func.func @main(%t: tensor<4x2xf32>, %i: tensor<3xi64>, %j: tensor<2xi64>, %l: tensor<4xf32>, %w: tensor<2x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %1 = kiln.gather %l[%j] axis 0 : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32>
  %2 = kiln.fusion (%a = %0 : tensor<3x2xf32>, %b = %w : tensor<2x2xf32>, %c = %1 : tensor<2xf32>) -> tensor<3x2xf32> {
    %3 = kiln.linear %a, weights(%b) biases(%c) : (tensor<3x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
    %4 = kiln.add %3, %a : tensor<3x2xf32>
    kiln.yield %4 : tensor<3x2xf32>
  }
  %5 = kiln.neg %2 : tensor<3x2xf32>
  %6 = kiln.layer_norm %5 epsilon 1.0e-05 : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %2, %6 : tensor<3x2xf32>, tensor<3x2xf32>
}

// -----

// Refused: rows of the linear's own weight, which comes packed (embeddings tied to the output layer).
// CHECK: func.func @main
// CHECK-NEXT: kiln.gather
// CHECK: kiln.linear
func.func @main(%t: tensor<4x2xf32>, %i: tensor<3xi64>) -> tensor<3x4xf32> {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
  %1 = kiln.linear %0, weights(%t) : (tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// -----

// gather + dequantize + linear + bias, gather + dequantize + cast + linear in a kernel with an activation: rows are
// decoded as they are copied for the product.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK-NEXT: %[[P:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[G:[a-z0-9]+]] = kiln.dequantize %[[P]] as "Q8_0"
// CHECK-NEXT: %[[Y:[a-z0-9]+]] = kiln.linear %[[G]], weights(%{{.*}}) biases
// CHECK-NEXT: kiln.yield %[[Y]]
// CHECK: kiln.fusion
// CHECK-NEXT: %[[Q:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[H:[a-z0-9]+]] = kiln.dequantize %[[Q]] as "Q4_0"
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.cast %[[H]]
// CHECK-NEXT: %[[Z:[a-z0-9]+]] = kiln.linear %[[C]]
// CHECK-NEXT: kiln.gelu %[[Z]]
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x32xf32, #kiln.dims<n, 32>>
!h = tensor<?x32xbf16, #kiln.dims<n, 32>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
!z = tensor<?x3xbf16, #kiln.dims<n, 3>>
func.func @main(%t: tensor<4x34xui8>, %u: tensor<4x18xui8>, %i: !i, %w: tensor<3x32xf32>, %b: tensor<3xf32>, %v: tensor<3x32xbf16>) -> (!y, !z) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x34xui8>, !i) -> tensor<?x34xui8, #kiln.dims<n, 34>>
  %1 = kiln.dequantize %0 as "Q8_0" : tensor<?x34xui8, #kiln.dims<n, 34>> -> !x
  %2 = kiln.linear %1, weights(%w) biases(%b) : (!x, tensor<3x32xf32>, tensor<3xf32>) -> !y
  %3 = kiln.gather %u[%i] axis 0 : (tensor<4x18xui8>, !i) -> tensor<?x18xui8, #kiln.dims<n, 18>>
  %4 = kiln.dequantize %3 as "Q4_0" : tensor<?x18xui8, #kiln.dims<n, 18>> -> !x
  %5 = kiln.cast %4 to bf16 : !x -> !h
  %6 = kiln.fusion (%a = %5 : !h, %c = %v : tensor<3x32xbf16>) -> !z {
    %7 = kiln.linear %a, weights(%c) : (!h, tensor<3x32xbf16>) -> !z
    %8 = kiln.gelu %7 : !z
    kiln.yield %8 : !z
  }
  return %2, %6 : !y, !z
}

// -----

// gather + dequantize + add + layer_norm, with a second table that is not packed.
// CHECK: func.func @main
// CHECK-NEXT: kiln.fusion
// CHECK: kiln.dequantize
// CHECK: kiln.add
// CHECK-NEXT: kiln.layer_norm
// CHECK-NEXT: kiln.yield
!x = tensor<3x32xf32>
func.func @main(%t: tensor<4x34xui8>, %p: tensor<4x32xf32>, %i: tensor<3xi64>, %w: tensor<32xf32>) -> !x {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x34xui8>, tensor<3xi64>) -> tensor<3x34xui8>
  %1 = kiln.dequantize %0 as "Q8_0" : tensor<3x34xui8> -> !x
  %2 = kiln.gather %p[%i] axis 0 : (tensor<4x32xf32>, tensor<3xi64>) -> !x
  %3 = kiln.add %1, %2 : (!x, !x) -> !x
  %4 = kiln.layer_norm %3, %w, %w epsilon 1.0e-05 : (!x, tensor<32xf32>, tensor<32xf32>) -> !x
  return %4 : !x
}

// -----

// Refused: decoded rows that are used elsewhere as well; packed rows that are not looked up.
// CHECK: func.func @main
// CHECK-NEXT: kiln.gather
// CHECK-NEXT: kiln.dequantize
// CHECK-NEXT: kiln.linear
// CHECK-NEXT: kiln.dequantize
// CHECK-NEXT: kiln.linear
// CHECK-NEXT: return
func.func @main(%t: tensor<4x34xui8>, %i: tensor<3xi64>, %w: tensor<5x32xf32>) -> (tensor<3x5xf32>, tensor<3x32xf32>, tensor<4x5xf32>) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x34xui8>, tensor<3xi64>) -> tensor<3x34xui8>
  %1 = kiln.dequantize %0 as "Q8_0" : tensor<3x34xui8> -> tensor<3x32xf32>
  %2 = kiln.linear %1, weights(%w) : (tensor<3x32xf32>, tensor<5x32xf32>) -> tensor<3x5xf32>
  %3 = kiln.dequantize %t as "Q8_0" : tensor<4x34xui8> -> tensor<4x32xf32>
  %4 = kiln.linear %3, weights(%w) : (tensor<4x32xf32>, tensor<5x32xf32>) -> tensor<4x5xf32>
  return %2, %1, %4 : tensor<3x5xf32>, tensor<3x32xf32>, tensor<4x5xf32>
}
