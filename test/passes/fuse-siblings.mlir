// RUN: kiln-opt %s --split-input-file --kiln-fuse-siblings | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-siblings --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// q, k and v of different sizes, and the linear of another input between them.
// CHECK: func.func @main(%[[X:[a-z0-9]+]]: tensor<5x2xf32>, %[[Q:[a-z0-9]+]]: tensor<4x2xf32>, %[[K:[a-z0-9]+]]: tensor<3x2xf32>, %[[BQ:[a-z0-9]+]]: tensor<4xf32>, %[[BK:[a-z0-9]+]]: tensor<3xf32>,
// CHECK-NEXT: %[[ALL:[a-z0-9]+]]:3 = kiln.linear %[[X]], weights(%[[Q]], %[[K]], %{{.*}}) biases(%[[BQ]], %[[BK]], %[[BK]])
// CHECK-NEXT: %[[OTHER:[a-z0-9]+]] = kiln.linear %[[ALL]]#0
// CHECK-NEXT: return %[[ALL]]#0, %[[ALL]]#1, %[[ALL]]#2, %[[OTHER]]
func.func @main(%x: tensor<5x2xf32>, %q: tensor<4x2xf32>, %k: tensor<3x2xf32>, %bq: tensor<4xf32>, %bk: tensor<3xf32>,
                %v: tensor<3x2xf32>, %o: tensor<2x4xf32>)
    -> (tensor<5x4xf32>, tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x2xf32>) {
  %0 = kiln.linear %x, weights(%q) biases(%bq) : (tensor<5x2xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<5x4xf32>
  %1 = kiln.linear %0, weights(%o) : (tensor<5x4xf32>, tensor<2x4xf32>) -> tensor<5x2xf32>
  %2 = kiln.linear %x, weights(%k) biases(%bk) : (tensor<5x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<5x3xf32>
  %3 = kiln.linear %x, weights(%v) biases(%bk) : (tensor<5x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> tensor<5x3xf32>
  return %0, %2, %3, %1 : tensor<5x4xf32>, tensor<5x3xf32>, tensor<5x3xf32>, tensor<5x2xf32>
}

// -----

// Refused, "one has a bias, the other none": two groups. "The weights differ in dtype" cannot be, x is one.
// CHECK: func.func @main
// CHECK: %[[PLAIN:[a-z0-9]+]]:2 = kiln.linear %{{.*}}, weights(%{{.*}}, %{{.*}}) :
// CHECK: %[[BIASED:[a-z0-9]+]]:2 = kiln.linear %{{.*}}, weights(%{{.*}}, %{{.*}}) biases(
// CHECK: return %[[PLAIN]]#0, %[[BIASED]]#0, %[[PLAIN]]#1, %[[BIASED]]#1
!w = tensor<4x2xf32>
!y = tensor<5x4xf32>
func.func @main(%x: tensor<5x2xf32>, %a: !w, %b: !w, %c: !w, %d: !w, %r: tensor<4xf32>) -> (!y, !y, !y, !y) {
  %0 = kiln.linear %x, weights(%a) : (tensor<5x2xf32>, !w) -> !y
  %1 = kiln.linear %x, weights(%b) biases(%r) : (tensor<5x2xf32>, !w, tensor<4xf32>) -> !y
  %2 = kiln.linear %x, weights(%c) : (tensor<5x2xf32>, !w) -> !y
  %3 = kiln.linear %x, weights(%d) biases(%r) : (tensor<5x2xf32>, !w, tensor<4xf32>) -> !y
  return %0, %1, %2, %3 : !y, !y, !y, !y
}

// -----

// Siblings behind siblings: the x of the second two is made by a linear that is merged first.
// CHECK: func.func @main
// CHECK: %[[FIRST:[a-z0-9]+]]:2 = kiln.linear %{{.*}}, weights(%{{.*}}, %{{.*}}) :
// CHECK: %[[SECOND:[a-z0-9]+]]:2 = kiln.linear %[[FIRST]]#1, weights(%{{.*}}, %{{.*}}) :
// CHECK: return %[[FIRST]]#0, %[[SECOND]]#0, %[[SECOND]]#1
!m = tensor<2x2xf32>
func.func @main(%x: tensor<5x2xf32>, %a: !m, %b: !m, %c: !m, %d: !m) -> (tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>) {
  %0 = kiln.linear %x, weights(%a) : (tensor<5x2xf32>, !m) -> tensor<5x2xf32>
  %1 = kiln.linear %x, weights(%b) : (tensor<5x2xf32>, !m) -> tensor<5x2xf32>
  %2 = kiln.linear %1, weights(%c) : (tensor<5x2xf32>, !m) -> tensor<5x2xf32>
  %3 = kiln.linear %1, weights(%d) : (tensor<5x2xf32>, !m) -> tensor<5x2xf32>
  return %0, %2, %3 : tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>
}

// -----

// Refused: "one weight is [N, K], the other [K, N]".
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.linear %{{.*}}, weights(%{{[^,]*}})
func.func @main(%x: tensor<5x2xf32>, %a: tensor<2x2xf32>, %b: tensor<2x2xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>) {
  %0 = kiln.linear %x, weights(%a) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  %1 = kiln.linear %x, weights(%b) {transposed = false} : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %0, %1 : tensor<5x2xf32>, tensor<5x2xf32>
}

// -----

// Refused: "the weight is the same".
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.linear %{{.*}}, weights(%{{[^,]*}}) biases
func.func @main(%x: tensor<5x2xf32>, %w: tensor<4x2xf32>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>) {
  %0 = kiln.linear %x, weights(%w) biases(%a) : (tensor<5x2xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<5x4xf32>
  %1 = kiln.linear %x, weights(%w) biases(%b) : (tensor<5x2xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<5x4xf32>
  return %0, %1 : tensor<5x4xf32>, tensor<5x4xf32>
}

// -----

// Refused: "a weight or a bias is computed behind the first linear"; one computed before it may join.
// CHECK: func.func @main
// CHECK: %[[BOTH:[a-z0-9]+]]:2 = kiln.linear
// CHECK: %[[LATE:[a-z0-9]+]] = kiln.linear %{{.*}}, weights(%{{[^,]*}}) biases
// CHECK: return %[[BOTH]]#0, %[[LATE]], %[[BOTH]]#1
!w = tensor<4x2xf32>
!y = tensor<5x4xf32>
func.func @main(%x: tensor<5x2xf32>, %a: !w, %b: !w, %c: !w, %r: tensor<4xf32>) -> (!y, !y, !y) {
  %early = kiln.neg %r : tensor<4xf32>
  %0 = kiln.linear %x, weights(%a) biases(%r) : (tensor<5x2xf32>, !w, tensor<4xf32>) -> !y
  %late = kiln.abs %r : tensor<4xf32>
  %1 = kiln.linear %x, weights(%b) biases(%late) : (tensor<5x2xf32>, !w, tensor<4xf32>) -> !y
  %2 = kiln.linear %x, weights(%c) biases(%early) : (tensor<5x2xf32>, !w, tensor<4xf32>) -> !y
  return %0, %1, %2 : !y, !y, !y
}

// -----

// One that nothing uses stays out; no operation at all does no harm.
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.linear %{{.*}}, weights(%{{[^,]*}}) :
func.func @main(%x: tensor<5x2xf32>, %a: tensor<4x2xf32>, %b: tensor<4x2xf32>) -> tensor<5x4xf32> {
  %0 = kiln.linear %x, weights(%a) : (tensor<5x2xf32>, tensor<4x2xf32>) -> tensor<5x4xf32>
  %1 = kiln.linear %x, weights(%b) : (tensor<5x2xf32>, tensor<4x2xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// -----

func.func @main(%x: tensor<5x2xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>) {
  return %x, %x : tensor<5x2xf32>, tensor<5x2xf32>
}
