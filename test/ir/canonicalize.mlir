// One function for each pattern of ir/Canonicalize.cpp, one for each refusal.
// RUN: kiln-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @permutes
// CHECK-NEXT: kiln.permute %arg0 [2, 1, 0] : tensor<2x3x4xf32> -> tensor<4x3x2xf32>
// CHECK-NEXT: return
func.func @permutes(%x: tensor<2x3x4xf32>) -> tensor<4x3x2xf32> {
  %0 = kiln.permute %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = kiln.permute %0 [1, 0, 2] : tensor<3x4x2xf32> -> tensor<4x3x2xf32>
  return %1 : tensor<4x3x2xf32>
}

// There and back again.
// CHECK-LABEL: @inversePermutes
// CHECK-NEXT: return %arg0
func.func @inversePermutes(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.permute %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = kiln.permute %0 [2, 0, 1] : tensor<3x4x2xf32> -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @reshapes
// CHECK-NEXT: kiln.reshape %arg0 to <4, n>
// CHECK-NEXT: return
func.func @reshapes(%x: tensor<?x2x2xf32, #kiln.dims<n, 2, 2>>) -> tensor<4x?xf32, #kiln.dims<4, n>> {
  %0 = kiln.reshape %x to <n * 4> : tensor<?x2x2xf32, #kiln.dims<n, 2, 2>> -> tensor<?xf32, #kiln.dims<n * 4>>
  %1 = kiln.reshape %0 to <4, n> : tensor<?xf32, #kiln.dims<n * 4>> -> tensor<4x?xf32, #kiln.dims<4, n>>
  return %1 : tensor<4x?xf32, #kiln.dims<4, n>>
}

// CHECK-LABEL: @broadcasts
// CHECK-NEXT: kiln.broadcast_to %arg0 to <5, n, 3> : tensor<1xf32>
// CHECK-NEXT: return
func.func @broadcasts(%x: tensor<1xf32>) -> tensor<5x?x3xf32, #kiln.dims<5, n, 3>> {
  %0 = kiln.broadcast_to %x to <1, 3> : tensor<1xf32> -> tensor<1x3xf32>
  %1 = kiln.broadcast_to %0 to <5, n, 3> : tensor<1x3xf32> -> tensor<5x?x3xf32, #kiln.dims<5, n, 3>>
  return %1 : tensor<5x?x3xf32, #kiln.dims<5, n, 3>>
}

// Refused: between different views.
// CHECK-LABEL: @differentViews
// CHECK: kiln.permute
// CHECK: kiln.reshape
func.func @differentViews(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  %0 = kiln.permute %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  %1 = kiln.reshape %0 to <6> : tensor<3x2xf32> -> tensor<6xf32>
  return %1 : tensor<6xf32>
}

// CHECK-LABEL: @casts
// CHECK-NEXT: kiln.cast %arg0 to f64 : tensor<2xbf16> -> tensor<2xf64>
// CHECK-NEXT: kiln.cast %arg1 to i16 : tensor<2xui8> -> tensor<2xi16>
// CHECK-NEXT: kiln.cast %arg2 to i64 : tensor<2xi1> -> tensor<2xi64>
// CHECK-NEXT: return %{{.*}}, %{{.*}}, %{{.*}}, %arg0
func.func @casts(%x: tensor<2xbf16>, %y: tensor<2xui8>, %z: tensor<2xi1>)
    -> (tensor<2xf64>, tensor<2xi16>, tensor<2xi64>, tensor<2xbf16>) {
  %0 = kiln.cast %x to f32 : tensor<2xbf16> -> tensor<2xf32>
  %1 = kiln.cast %0 to f64 : tensor<2xf32> -> tensor<2xf64>
  %2 = kiln.cast %y to f32 : tensor<2xui8> -> tensor<2xf32>
  %3 = kiln.cast %2 to i16 : tensor<2xf32> -> tensor<2xi16>
  %4 = kiln.cast %z to i8 : tensor<2xi1> -> tensor<2xi8>
  %5 = kiln.cast %4 to i64 : tensor<2xi8> -> tensor<2xi64>
  %6 = kiln.cast %0 to bf16 : tensor<2xf32> -> tensor<2xbf16>
  return %1, %3, %5, %6 : tensor<2xf64>, tensor<2xi16>, tensor<2xi64>, tensor<2xbf16>
}

// Refused: the first cast rounds.
// CHECK-LABEL: @castRounds
// CHECK-COUNT-2: kiln.cast
func.func @castRounds(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = kiln.cast %x to bf16 : tensor<2xf32> -> tensor<2xbf16>
  %1 = kiln.cast %0 to f32 : tensor<2xbf16> -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// Refused: float16 has the larger significand, bfloat16 the larger range.
// CHECK-LABEL: @castBetweenHalves
// CHECK-COUNT-4: kiln.cast
func.func @castBetweenHalves(%x: tensor<2xf16>, %y: tensor<2xbf16>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = kiln.cast %x to bf16 : tensor<2xf16> -> tensor<2xbf16>
  %1 = kiln.cast %0 to f32 : tensor<2xbf16> -> tensor<2xf32>
  %2 = kiln.cast %y to f16 : tensor<2xbf16> -> tensor<2xf16>
  %3 = kiln.cast %2 to f32 : tensor<2xf16> -> tensor<2xf32>
  return %1, %3 : tensor<2xf32>, tensor<2xf32>
}

// Refused: not every i32 is a float32.
// CHECK-LABEL: @castLargeIntegers
// CHECK-COUNT-2: kiln.cast
func.func @castLargeIntegers(%x: tensor<2xi32>) -> tensor<2xi32> {
  %0 = kiln.cast %x to f32 : tensor<2xi32> -> tensor<2xf32>
  %1 = kiln.cast %0 to i32 : tensor<2xf32> -> tensor<2xi32>
  return %1 : tensor<2xi32>
}

// Refused: unsigned integers have no negative ones.
// CHECK-LABEL: @castNegative
// CHECK-COUNT-2: kiln.cast
func.func @castNegative(%x: tensor<2xi8>) -> tensor<2xi64> {
  %0 = kiln.cast %x to ui32 : tensor<2xi8> -> tensor<2xui32>
  %1 = kiln.cast %0 to i64 : tensor<2xui32> -> tensor<2xi64>
  return %1 : tensor<2xi64>
}

// Refused: by way of a float -1 becomes 0, at once 255.
// CHECK-LABEL: @castSaturates
// CHECK-COUNT-2: kiln.cast
func.func @castSaturates(%x: tensor<2xi8>) -> tensor<2xui8> {
  %0 = kiln.cast %x to f32 : tensor<2xi8> -> tensor<2xf32>
  %1 = kiln.cast %0 to ui8 : tensor<2xf32> -> tensor<2xui8>
  return %1 : tensor<2xui8>
}

// CHECK-LABEL: @implicitBroadcast
// CHECK-NEXT: kiln.add %arg0, %arg1 : (tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<3xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
// CHECK-NEXT: kiln.select %arg2, %{{.*}}, %arg1
// CHECK-NEXT: return
func.func @implicitBroadcast(%x: tensor<?x3xf32, #kiln.dims<n, 3>>, %y: tensor<3xf32>, %c: tensor<i1>)
    -> tensor<?x3xf32, #kiln.dims<n, 3>> {
  %0 = kiln.broadcast_to %y to <n, 3> : tensor<3xf32> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %1 = kiln.add %x, %0 : tensor<?x3xf32, #kiln.dims<n, 3>>
  %2 = kiln.broadcast_to %c to <n, 3> : tensor<i1> -> tensor<?x3xi1, #kiln.dims<n, 3>>
  %3 = kiln.select %2, %1, %0
      : (tensor<?x3xi1, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>, tensor<?x3xf32, #kiln.dims<n, 3>>)
      -> tensor<?x3xf32, #kiln.dims<n, 3>>
  return %3 : tensor<?x3xf32, #kiln.dims<n, 3>>
}

// Refused: the result gets its shape from that operand.
// CHECK-LABEL: @explicitBroadcast
// CHECK: kiln.broadcast_to
// CHECK: kiln.add
func.func @explicitBroadcast(%x: tensor<1x3xf32>, %y: tensor<3xf32>) -> tensor<?x3xf32, #kiln.dims<n, 3>> {
  %0 = kiln.broadcast_to %y to <n, 3> : tensor<3xf32> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %1 = kiln.add %x, %0 : (tensor<1x3xf32>, tensor<?x3xf32, #kiln.dims<n, 3>>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
  return %1 : tensor<?x3xf32, #kiln.dims<n, 3>>
}

// Refused: an operation of one operand has no other one to say the shape.
// CHECK-LABEL: @broadcastUnary
// CHECK: kiln.broadcast_to
// CHECK: kiln.neg
func.func @broadcastUnary(%y: tensor<3xf32>) -> tensor<2x3xf32> {
  %0 = kiln.broadcast_to %y to <2, 3> : tensor<3xf32> -> tensor<2x3xf32>
  %1 = kiln.neg %0 : tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// Refused: the order of operands counts, for of 0.0 and -0.0 the second is the result.
// CHECK-LABEL: @maximumOrder
// CHECK: kiln.maximum %{{.*}}, %arg0
// CHECK: kiln.minimum %{{.*}}, %arg0
func.func @maximumOrder(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %zero = kiln.constant dense<-0.0> : tensor<f32>
  %0 = kiln.maximum %zero, %x : tensor<f32>
  %1 = kiln.minimum %zero, %x : tensor<f32>
  return %0, %1 : tensor<f32>, tensor<f32>
}

// Only the rows that are looked up are decoded.
// CHECK-LABEL: func.func @decodeLater
// CHECK-NEXT: %[[R:.*]] = kiln.gather %{{.*}} axis 1 : (tensor<2x4x34xui8>, tensor<3xi64>) -> tensor<2x3x34xui8>
// CHECK-NEXT: %[[D:.*]] = kiln.dequantize %[[R]] as "Q8_0"
// CHECK-NEXT: return %[[D]]
func.func @decodeLater(%t: tensor<2x4x34xui8>, %i: tensor<3xi64>) -> tensor<2x3x32xf32> {
  %0 = kiln.dequantize %t as "Q8_0" : tensor<2x4x34xui8> -> tensor<2x4x32xf32>
  %1 = kiln.gather %0[%i] axis 1 : (tensor<2x4x32xf32>, tensor<3xi64>) -> tensor<2x3x32xf32>
  return %1 : tensor<2x3x32xf32>
}

// Not where rows are not read whole, are of a part of a table, or where the decoded table is needed anyway.
// CHECK-LABEL: func.func @decodeFirst
// CHECK-COUNT-3: kiln.dequantize
// CHECK-COUNT-3: kiln.gather
// CHECK-NEXT: return
func.func @decodeFirst(%t: tensor<4x34xui8>, %u: tensor<4x34xui8>, %v: tensor<4x34xui8>, %i: tensor<3xi64>)
    -> (tensor<4x3xf32>, tensor<3x32xf32>, tensor<3x32xf32>, tensor<4x32xf32>) {
  %0 = kiln.dequantize %t as "Q8_0" : tensor<4x34xui8> -> tensor<4x32xf32>
  %1 = kiln.dequantize %u as "Q8_0" : tensor<4x34xui8> -> tensor<4x32xf32>
  %2 = kiln.dequantize %v as "Q8_0" : tensor<4x34xui8> -> tensor<4x32xf32>
  %3 = kiln.gather %0[%i] axis 1 : (tensor<4x32xf32>, tensor<3xi64>) -> tensor<4x3xf32>
  %4 = kiln.gather %1[%i] axis 0 total 7 : (tensor<4x32xf32>, tensor<3xi64>) -> tensor<3x32xf32>
  %5 = kiln.gather %2[%i] axis 0 : (tensor<4x32xf32>, tensor<3xi64>) -> tensor<3x32xf32>
  return %3, %4, %5, %2 : tensor<4x3xf32>, tensor<3x32xf32>, tensor<3x32xf32>, tensor<4x32xf32>
}
