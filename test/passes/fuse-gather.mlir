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
