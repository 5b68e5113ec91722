// x * 1, x / 1, x + -0.0, x - 0.0 are x, to the sign of zero.
// RUN: kiln-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @floats
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]] :
func.func @floats(%x: tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<n>> {
  %one = kiln.constant dense<1.0> : tensor<f32>
  %zero = kiln.constant dense<0.0> : tensor<1xf32>
  %minusZero = kiln.constant dense<-0.0> : tensor<1xf32>
  %0 = kiln.mul %x, %one : (tensor<?xf32, #kiln.dims<n>>, tensor<f32>) -> tensor<?xf32, #kiln.dims<n>>
  %1 = kiln.div %0, %one : (tensor<?xf32, #kiln.dims<n>>, tensor<f32>) -> tensor<?xf32, #kiln.dims<n>>
  %2 = kiln.sub %1, %zero : (tensor<?xf32, #kiln.dims<n>>, tensor<1xf32>) -> tensor<?xf32, #kiln.dims<n>>
  %3 = kiln.add %2, %minusZero : (tensor<?xf32, #kiln.dims<n>>, tensor<1xf32>) -> tensor<?xf32, #kiln.dims<n>>
  return %3 : tensor<?xf32, #kiln.dims<n>>
}

// On either side, where the operation commutes.
// CHECK-LABEL: @integers
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]] :
func.func @integers(%x: tensor<2xi32>) -> tensor<2xi32> {
  %one = kiln.constant dense<1> : tensor<2xi32>
  %zero = kiln.constant dense<0> : tensor<i32>
  %0 = kiln.mul %one, %x : tensor<2xi32>
  %1 = kiln.add %zero, %0 : (tensor<i32>, tensor<2xi32>) -> tensor<2xi32>
  %2 = kiln.sub %1, %zero : (tensor<2xi32>, tensor<i32>) -> tensor<2xi32>
  return %2 : tensor<2xi32>
}

// Refused: -0.0 + 0.0 is 0.0.
// CHECK-LABEL: @plusZero
// CHECK: kiln.add
func.func @plusZero(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = kiln.constant dense<0.0> : tensor<f32>
  %0 = kiln.add %x, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// Refused: -0.0 - -0.0 is 0.0.
// CHECK-LABEL: @minusMinusZero
// CHECK: kiln.sub
func.func @minusMinusZero(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = kiln.constant dense<-0.0> : tensor<f32>
  %0 = kiln.sub %x, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// Refused: inf * 0 and NaN * 0 are NaN.
// CHECK-LABEL: @timesZero
// CHECK: kiln.mul
func.func @timesZero(%x: tensor<2xf32>) -> tensor<2xf32> {
  %zero = kiln.constant dense<0.0> : tensor<f32>
  %0 = kiln.mul %x, %zero : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// Refused: not commutative.
// CHECK-LABEL: @oneOver
// CHECK: kiln.div
func.func @oneOver(%x: tensor<f32>) -> tensor<f32> {
  %one = kiln.constant dense<1.0> : tensor<f32>
  %0 = kiln.div %one, %x : tensor<f32>
  return %0 : tensor<f32>
}

// Refused: not one everywhere.
// CHECK-LABEL: @mixed
// CHECK: kiln.mul
func.func @mixed(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y = kiln.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = kiln.mul %x, %y : tensor<2xf32>
  return %0 : tensor<2xf32>
}

// Refused: x gets its shape from the constant.
// CHECK-LABEL: @broadcasts
// CHECK: kiln.mul
func.func @broadcasts(%x: tensor<1xf32>) -> tensor<2xf32> {
  %one = kiln.constant dense<1.0> : tensor<2xf32>
  %0 = kiln.mul %x, %one : (tensor<1xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
