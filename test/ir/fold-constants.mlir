// Operations on constants are computed when compiling, where every machine gives the same bits.
// RUN: kiln-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @arithmetic
// CHECK-NEXT: %[[C:.*]] = kiln.constant dense<[4.000000e+00, 6.000000e+00]> : tensor<2xf32>
// CHECK-NEXT: return %[[C]]
func.func @arithmetic() -> tensor<2xf32> {
  %x = kiln.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = kiln.constant dense<[1.0]> : tensor<1xf32>
  %0 = kiln.add %x, %y : (tensor<2xf32>, tensor<1xf32>) -> tensor<2xf32>
  %two = kiln.constant dense<2.0> : tensor<f32>
  %1 = kiln.mul %0, %two : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// Each step is rounded to its dtype: 256 + 1 is 256 in bfloat16.
// CHECK-LABEL: @rounded
// CHECK-NEXT: kiln.constant dense<2.560000e+02> : tensor<bf16>
func.func @rounded() -> tensor<bf16> {
  %x = kiln.constant dense<256.0> : tensor<bf16>
  %y = kiln.constant dense<1.0> : tensor<bf16>
  %0 = kiln.add %x, %y : tensor<bf16>
  return %0 : tensor<bf16>
}

// CHECK-LABEL: @integers
// CHECK-NEXT: kiln.constant dense<-127> : tensor<i8>
func.func @integers() -> tensor<i8> {
  %x = kiln.constant dense<127> : tensor<i8>
  %y = kiln.constant dense<2> : tensor<i8>
  %0 = kiln.add %x, %y : tensor<i8>
  return %0 : tensor<i8>
}

// CHECK-LABEL: @predicates
// CHECK-NEXT: kiln.constant dense<[true, false]> : tensor<2xi1>
func.func @predicates() -> tensor<2xi1> {
  %x = kiln.constant dense<[1.0, 3.0]> : tensor<2xf32>
  %y = kiln.constant dense<2.0> : tensor<f32>
  %0 = kiln.lt %x, %y : (tensor<2xf32>, tensor<f32>) -> tensor<2xi1>
  return %0 : tensor<2xi1>
}

// CHECK-LABEL: @views
// CHECK-NEXT: %[[C:.*]] = kiln.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi32>
// CHECK-NEXT: %[[D:.*]] = kiln.constant dense<[3, 5]> : tensor<2xi32>
// CHECK-NEXT: return %[[C]], %[[D]]
func.func @views() -> (tensor<3x2xi32>, tensor<2xi32>) {
  %x = kiln.constant dense<[1, 2, 3, 4, 5, 6]> : tensor<6xi32>
  %0 = kiln.reshape %x to <2, 3> : tensor<6xi32> -> tensor<2x3xi32>
  %1 = kiln.permute %0 [1, 0] : tensor<2x3xi32> -> tensor<3x2xi32>
  %2 = kiln.slice %x from <2> to <6> step [2] : tensor<6xi32> -> tensor<2xi32>
  return %1, %2 : tensor<3x2xi32>, tensor<2xi32>
}

// CHECK-LABEL: @castAndSelect
// CHECK-NEXT: kiln.constant dense<[1, 7]> : tensor<2xi8>
func.func @castAndSelect() -> tensor<2xi8> {
  %x = kiln.constant dense<[1.5, 2.5]> : tensor<2xf32>
  %0 = kiln.cast %x to i8 : tensor<2xf32> -> tensor<2xi8>
  %c = kiln.constant dense<[true, false]> : tensor<2xi1>
  %y = kiln.constant dense<7> : tensor<i8>
  %1 = kiln.select %c, %0, %y : (tensor<2xi1>, tensor<2xi8>, tensor<i8>) -> tensor<2xi8>
  return %1 : tensor<2xi8>
}

// CHECK-LABEL: @size
// CHECK-NEXT: kiln.constant dense<4> : tensor<i64>
func.func @size() -> tensor<i64> {
  %0 = kiln.size <4> : tensor<i64>
  return %0 : tensor<i64>
}

// Refused: machines approximate exp, each in its way.
// CHECK-LABEL: @approximated
// CHECK: kiln.exp
func.func @approximated() -> tensor<f32> {
  %x = kiln.constant dense<1.0> : tensor<f32>
  %0 = kiln.exp %x : tensor<f32>
  return %0 : tensor<f32>
}

// Refused: the constant would be larger than 64 elements.
// CHECK-LABEL: @large
// CHECK: kiln.broadcast_to
func.func @large() -> tensor<65xf32> {
  %x = kiln.constant dense<1.0> : tensor<f32>
  %0 = kiln.broadcast_to %x to <65> : tensor<f32> -> tensor<65xf32>
  return %0 : tensor<65xf32>
}

// Refused: the size is not known.
// CHECK-LABEL: @symbolic
// CHECK: kiln.broadcast_to
// CHECK: kiln.size <n>
func.func @symbolic(%n: tensor<?xf32, #kiln.dims<n>>) -> (tensor<?xf32, #kiln.dims<n>>, tensor<i64>) {
  %x = kiln.constant dense<1.0> : tensor<f32>
  %0 = kiln.broadcast_to %x to <n> : tensor<f32> -> tensor<?xf32, #kiln.dims<n>>
  %1 = kiln.size <n> : tensor<i64>
  return %0, %1 : tensor<?xf32, #kiln.dims<n>>, tensor<i64>
}

// Refused: one operand is not constant.
// CHECK-LABEL: @notConstant
// CHECK: kiln.add
func.func @notConstant(%x: tensor<f32>) -> tensor<f32> {
  %y = kiln.constant dense<1.0> : tensor<f32>
  %0 = kiln.add %x, %y : tensor<f32>
  return %0 : tensor<f32>
}

// Refused: nor are as many as no memory holds.
// CHECK-LABEL: @huge
// CHECK: kiln.broadcast_to
func.func @huge() -> tensor<4294967296x1073741824xi8> {
  %x = kiln.constant dense<1> : tensor<i8>
  %0 = kiln.broadcast_to %x to <4294967296, 1073741824> : tensor<i8> -> tensor<4294967296x1073741824xi8>
  return %0 : tensor<4294967296x1073741824xi8>
}
