// RUN: kiln-opt %s --split-input-file --kiln-outline | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-outline --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// Fusions of equal bodies are one kernel, called with other weights; one of another attribute is not, nor
// one of another type. A name that is taken gets a number. Loose operations become kernels.
// CHECK: func.func @main
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.launch @linear_layer_norm(%{{.*}}, %arg1)
// CHECK-NEXT: %[[B:[a-z0-9]+]] = kiln.launch @linear_layer_norm(%[[A]], %arg2)
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.launch @linear_layer_norm_1(%[[B]], %arg2)
// CHECK-NEXT: %[[D:[a-z0-9]+]] = kiln.launch @neg_1(%[[C]])
// CHECK-NEXT: %[[V:[a-z0-9]+]] = kiln.reshape %[[D]]
// CHECK-NEXT: %[[E:[a-z0-9]+]] = kiln.launch @neg_2(%[[V]])
// CHECK-NEXT: return %[[C]], %[[E]]
// CHECK: func.func private @neg(
// CHECK: func.func private @linear_layer_norm(
// CHECK-SAME: attributes {kiln.kernel}
// CHECK-NEXT: kiln.linear
// CHECK-NEXT: kiln.layer_norm %{{.*}} epsilon 1.000000e-05
// CHECK-NEXT: return
// CHECK: func.func private @linear_layer_norm_1(
// CHECK: epsilon 1.000000e-03
// CHECK: func.func private @neg_1(%{{.*}}: tensor<2x2xf32>)
// CHECK: func.func private @neg_2(%{{.*}}: tensor<4xf32>)
// CHECK-NOT: func.func
!x = tensor<2x2xf32>
func.func @main(%x: !x, %w: !x, %v: !x) -> (!x, tensor<4xf32>) {
  %0 = kiln.fusion (%a = %x : !x, %b = %w : !x) -> !x {
    %1 = kiln.linear %a, weights(%b) : (!x, !x) -> !x
    %2 = kiln.layer_norm %1 epsilon 1.0e-05 : (!x) -> !x
    kiln.yield %2 : !x
  }
  %3 = kiln.fusion (%a = %0 : !x, %b = %v : !x) -> !x {
    %1 = kiln.linear %a, weights(%b) : (!x, !x) -> !x
    %2 = kiln.layer_norm %1 epsilon 1.0e-05 : (!x) -> !x
    kiln.yield %2 : !x
  }
  %4 = kiln.fusion (%a = %3 : !x, %b = %v : !x) -> !x {
    %1 = kiln.linear %a, weights(%b) : (!x, !x) -> !x
    %2 = kiln.layer_norm %1 epsilon 1.0e-03 : (!x) -> !x
    kiln.yield %2 : !x
  }
  %5 = kiln.neg %4 : !x
  %6 = kiln.reshape %5 to <4> : !x -> tensor<4xf32>
  %7 = kiln.neg %6 : tensor<4xf32>
  return %4, %7 : !x, tensor<4xf32>
}
func.func private @neg(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

// -----

// Constants and sizes go into the kernels that use them; one that is returned, or viewed, is made by a
// kernel of its own, and not nested in another.
// CHECK: func.func @main
// CHECK-DAG: %[[C:[a-z0-9]+]] = kiln.launch @constant()
// CHECK-DAG: %[[I:[a-z0-9]+]] = kiln.launch @iota()
// CHECK-DAG: %[[V:[a-z0-9]+]] = kiln.reshape %[[I]]
// CHECK-DAG: %[[Y:[a-z0-9]+]] = kiln.launch @mul(%arg0)
// CHECK: return %[[C]], %[[V]], %[[Y]], %{{.*}}
// CHECK: func.func private @mul(
// CHECK-NEXT: kiln.constant
// CHECK-NEXT: kiln.mul
// CHECK: func.func private @neg() -> tensor<2xf32>
// CHECK-NEXT: kiln.constant
// CHECK-NEXT: kiln.neg
func.func @main(%x: tensor<2xf32>) -> (tensor<i64>, tensor<1x3xi64>, tensor<2xf32>, tensor<2xf32>) {
  %c = kiln.constant dense<7> : tensor<i64>
  %i = kiln.iota <3> from 0 : i64 step 1 : i64 of i64 : tensor<3xi64>
  %v = kiln.reshape %i to <1, 3> : tensor<3xi64> -> tensor<1x3xi64>
  %two = kiln.constant dense<2.0> : tensor<f32>
  %unused = kiln.constant dense<3.0> : tensor<f32>
  %0 = kiln.mul %x, %two : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %1 = kiln.fusion () -> tensor<2xf32> {
    %row = kiln.constant dense<1.0> : tensor<2xf32>
    %2 = kiln.neg %row : tensor<2xf32>
    kiln.yield %2 : tensor<2xf32>
  }
  return %c, %v, %0, %1 : tensor<i64>, tensor<1x3xi64>, tensor<2xf32>, tensor<2xf32>
}

// -----

// What a kernel without operands makes is stored, not made again in each kernel that reads it.
// CHECK: func.func @main
// CHECK-NEXT: %[[Y:[a-z0-9]+]] = kiln.launch @neg()
// CHECK-NEXT: kiln.launch @exp(%[[Y]])
// CHECK-NEXT: kiln.launch @sin(%[[Y]])
func.func @main() -> (tensor<2xf32>, tensor<2xf32>) {
  %row = kiln.constant dense<1.0> : tensor<2xf32>
  %0 = kiln.neg %row : tensor<2xf32>
  %1 = kiln.exp %0 : tensor<2xf32>
  %2 = kiln.sin %0 : tensor<2xf32>
  return %1, %2 : tensor<2xf32>, tensor<2xf32>
}

// -----

// Refused: kernels that gather at two places of the program are not one; at one place they are.
// CHECK: func.func @main
// CHECK-NEXT: kiln.launch @gather(%arg0, %arg1)
// CHECK-NEXT: kiln.launch @gather_1(%arg0, %arg2)
// CHECK-NEXT: kiln.launch @gather(%arg0, %arg3)
#embed = loc("net.cpp":3:1)
#other = loc("net.cpp":7:1)
!i = tensor<2xi64>
func.func @main(%t: tensor<4x2xf32>, %i: !i, %j: !i, %k: !i) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x2xf32>, !i) -> tensor<2x2xf32> loc(#embed)
  %1 = kiln.gather %t[%j] axis 0 : (tensor<4x2xf32>, !i) -> tensor<2x2xf32> loc(#other)
  %2 = kiln.gather %t[%k] axis 0 : (tensor<4x2xf32>, !i) -> tensor<2x2xf32> loc(#embed)
  return %0, %1, %2 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// Nothing to do: an empty function, an argument returned twice.
// CHECK: func.func @main
// CHECK-NEXT: return %arg0, %arg0
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  return %x, %x : tensor<2xf32>, tensor<2xf32>
}
