// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// matmul(x, permute(w)) + b
// CHECK: func.func @main(%[[X:[a-z0-9]+]]: tensor<?x2xf32, #kiln.dims<n, 2>>, %[[W:[a-z0-9]+]]: tensor<3x2xf32> {{.*}}, %[[B:[a-z0-9]+]]: tensor<3xf32>)
// CHECK-NEXT: %[[Y:[a-z0-9]+]] = kiln.linear %[[X]], weights(%[[W]]) biases(%[[B]])
// CHECK-NOT: transposed
// CHECK-NEXT: return %[[Y]]
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: !x, %w: tensor<3x2xf32> {kiln.role = "weight"}, %b: tensor<3xf32>) -> !y {
  %wt = kiln.permute %w [1, 0] : tensor<3x2xf32> -> tensor<2x3xf32>
  %0 = kiln.matmul %x, %wt : (!x, tensor<2x3xf32>) -> !y
  %1 = kiln.add %b, %0 : (tensor<3xf32>, !y) -> !y
  return %1 : !y
}

// -----

// matmul(x, w): the weight lies as [K, N].
// CHECK: func.func @main(%[[X:[a-z0-9]+]]: tensor<4x5x2xf32>, %[[W:[a-z0-9]+]]: tensor<2x3xf32>
// CHECK-NEXT: kiln.linear %[[X]], weights(%[[W]]) {transposed = false}
func.func @main(%x: tensor<4x5x2xf32>, %w: tensor<2x3xf32> {kiln.role = "weight"}) -> tensor<4x5x3xf32> {
  %0 = kiln.matmul %x, %w : (tensor<4x5x2xf32>, tensor<2x3xf32>) -> tensor<4x5x3xf32>
  return %0 : tensor<4x5x3xf32>
}

// -----

// The sum of two products: the row of N elements is the bias, though it is a product as well.
// CHECK: func.func @main
// CHECK: %[[ROW:[a-z0-9]+]] = kiln.linear %{{.*}}, weights(%{{.*}}) : (tensor<2xf32>
// CHECK: kiln.linear %{{.*}}, weights(%{{.*}}) biases(%[[ROW]])
// CHECK-NOT: kiln.add
func.func @main(%x: tensor<4x2xf32>, %row: tensor<2xf32>, %w: tensor<3x2xf32> {kiln.role = "weight"}) -> tensor<4x3xf32> {
  %0 = kiln.linear %row, weights(%w) : (tensor<2xf32>, tensor<3x2xf32>) -> tensor<3xf32>
  %1 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<3x2xf32>) -> tensor<4x3xf32>
  %2 = kiln.add %0, %1 : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  return %2 : tensor<4x3xf32>
}

// -----

// A bias that is computed behind the product: the linear goes where it is there.
// CHECK: func.func @main
// CHECK: %[[B:[a-z0-9]+]] = kiln.neg
// CHECK-NEXT: kiln.linear {{.*}} biases(%[[B]])
func.func @main(%x: tensor<4x2xf32>, %w: tensor<2x3xf32> {kiln.role = "weight"}, %b: tensor<3xf32>) -> tensor<4x3xf32> {
  %0 = kiln.matmul %x, %w : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  %1 = kiln.neg %b : tensor<3xf32>
  %2 = kiln.add %0, %1 : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  return %2 : tensor<4x3xf32>
}

// -----

// Refused: "y is not a weight".
// CHECK: func.func @main
// CHECK: kiln.matmul
func.func @main(%x: tensor<4x2xf32>, %w: tensor<2x3xf32> {kiln.role = "argument"}) -> tensor<4x3xf32> {
  %0 = kiln.matmul %x, %w : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

// Refused: "y is permuted, but not a transposed matrix" (of rank 3), "y has batch dims".
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.matmul
func.func @main(%x: tensor<4x2xf32>, %w: tensor<1x3x2xf32> {kiln.role = "weight"},
                %v: tensor<5x2x3xf32> {kiln.role = "weight"}) -> (tensor<1x4x3xf32>, tensor<5x4x3xf32>) {
  %wt = kiln.permute %w [0, 2, 1] : tensor<1x3x2xf32> -> tensor<1x2x3xf32>
  %0 = kiln.matmul %x, %wt : (tensor<4x2xf32>, tensor<1x2x3xf32>) -> tensor<1x4x3xf32>
  %1 = kiln.matmul %x, %v : (tensor<4x2xf32>, tensor<5x2x3xf32>) -> tensor<5x4x3xf32>
  return %0, %1 : tensor<1x4x3xf32>, tensor<5x4x3xf32>
}

// -----

// Refused: "x is the weight itself".
// CHECK: func.func @main
// CHECK: kiln.matmul
func.func @main(%w: tensor<3x2xf32> {kiln.role = "weight"}) -> tensor<3x3xf32> {
  %wt = kiln.permute %w [1, 0] : tensor<3x2xf32> -> tensor<2x3xf32>
  %0 = kiln.matmul %w, %wt : (tensor<3x2xf32>, tensor<2x3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// -----

// Refused: "y has symbolic dims", "no packed kernel for this dtype".
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.matmul
!w = tensor<2x?xf32, #kiln.dims<2, n>>
!y = tensor<4x?xf32, #kiln.dims<4, n>>
func.func @main(%x: tensor<4x2xf32>, %w: !w {kiln.role = "weight"}, %i: tensor<4x2xi64>,
                %v: tensor<2x3xi64> {kiln.role = "weight"}) -> (!y, tensor<4x3xi64>) {
  %0 = kiln.matmul %x, %w : (tensor<4x2xf32>, !w) -> !y
  %1 = kiln.matmul %i, %v : (tensor<4x2xi64>, tensor<2x3xi64>) -> tensor<4x3xi64>
  return %0, %1 : !y, tensor<4x3xi64>
}

// -----

// Refused: "the linear has a bias or several results".
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK: kiln.add
func.func @main(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>, %b: tensor<3xf32>) -> tensor<4x3xf32> {
  %0 = kiln.linear %x, weights(%w) biases(%b) : (tensor<4x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  %1 = kiln.add %0, %b : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  return %1 : tensor<4x3xf32>
}

// -----

// Refused: "the product is used elsewhere".
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK: kiln.add
func.func @main(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>, %b: tensor<3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %0 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<3x2xf32>) -> tensor<4x3xf32>
  %1 = kiln.add %0, %b : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  return %0, %1 : tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

// Refused: "what is added is not a row of N elements": a residual, a number, one number for all.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-COUNT-3: kiln.add
func.func @main(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>, %r: tensor<4x3xf32>, %n: tensor<f32>, %one: tensor<1xf32>) -> tensor<4x3xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<3x2xf32>) -> tensor<4x3xf32>
  %1 = kiln.add %0, %r : tensor<4x3xf32>
  %2 = kiln.linear %1, weights(%r) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x4xf32>
  %3 = kiln.add %2, %n : (tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
  %4 = kiln.linear %3, weights(%3) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %5 = kiln.add %4, %one : (tensor<4x4xf32>, tensor<1xf32>) -> tensor<4x4xf32>
  %6 = kiln.matmul %5, %r : (tensor<4x4xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  return %6 : tensor<4x3xf32>
}

// -----

// A filter whose dims but the last are one K; and PyTorch's, which stays where it is: its kernel
// reads it packed.
// CHECK: func.func @main
// CHECK-NEXT: %[[F:.*]] = kiln.reshape %arg1 to <6, 4>
// CHECK-NEXT: kiln.linear %arg0, weights(%[[F]]) {transposed = false}
// CHECK-NEXT: %[[P:.*]] = kiln.permute %arg2 [2, 1, 0] {kiln.packed}
// CHECK-NEXT: %[[G:.*]] = kiln.reshape %[[P]] to <6, 4>
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.linear %{{.*}}, weights(%[[G]]) {transposed = false}
!x = tensor<?x6xf32, #kiln.dims<n, 6>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %f: tensor<2x3x4xf32> {kiln.role = "weight"}, %g: tensor<4x3x2xf32> {kiln.role = "weight"}) -> (!y, !y) {
  %0 = kiln.reshape %f to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %1 = kiln.matmul %x, %0 : (!x, tensor<6x4xf32>) -> !y
  %2 = kiln.permute %g [2, 1, 0] : tensor<4x3x2xf32> -> tensor<2x3x4xf32>
  %3 = kiln.reshape %2 to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %4 = kiln.neg %x : !x
  %5 = kiln.matmul %4, %3 : (!x, tensor<6x4xf32>) -> !y
  return %1, %5 : !y, !y
}

// -----

// Refused: the permuted filter is used elsewhere, so it is stored; another permutation.
// CHECK: func.func @main
// CHECK-NOT: kiln.linear
!x = tensor<?x6xf32, #kiln.dims<n, 6>>
!y = tensor<?x4xf32, #kiln.dims<n, 4>>
func.func @main(%x: !x, %g: tensor<4x3x2xf32> {kiln.role = "weight"}, %h: tensor<3x2x4xf32> {kiln.role = "weight"}) -> (!y, tensor<2x3x4xf32>, !y) {
  %2 = kiln.permute %g [2, 1, 0] : tensor<4x3x2xf32> -> tensor<2x3x4xf32>
  %3 = kiln.reshape %2 to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %5 = kiln.matmul %x, %3 : (!x, tensor<6x4xf32>) -> !y
  %6 = kiln.permute %h [1, 0, 2] : tensor<3x2x4xf32> -> tensor<2x3x4xf32>
  %7 = kiln.reshape %6 to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %8 = kiln.matmul %x, %7 : (!x, tensor<6x4xf32>) -> !y
  return %5, %2, %8 : !y, tensor<2x3x4xf32>, !y
}
