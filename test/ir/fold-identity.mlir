// Operations that do nothing are their operand.
// RUN: kiln-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @nothing
// CHECK-SAME: (%[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]] :
func.func @nothing(%x: tensor<?x3xf32, #kiln.dims<n, 3>>) -> tensor<?x3xf32, #kiln.dims<n, 3>> {
  %0 = kiln.permute %x [0, 1] : tensor<?x3xf32, #kiln.dims<n, 3>> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %1 = kiln.reshape %0 to <n, 3> : tensor<?x3xf32, #kiln.dims<n, 3>> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %2 = kiln.broadcast_to %1 to <n, 3> : tensor<?x3xf32, #kiln.dims<n, 3>> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %3 = kiln.cast %2 to f32 : tensor<?x3xf32, #kiln.dims<n, 3>> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %4 = kiln.slice %3 from <0, 0> to <n, 3> step [1, 1]
      : tensor<?x3xf32, #kiln.dims<n, 3>> -> tensor<?x3xf32, #kiln.dims<n, 3>>
  %5 = kiln.concat %4 axis 0 : (tensor<?x3xf32, #kiln.dims<n, 3>>) -> tensor<?x3xf32, #kiln.dims<n, 3>>
  return %5 : tensor<?x3xf32, #kiln.dims<n, 3>>
}

// CHECK-LABEL: @select
// CHECK-SAME: (%[[X:.*]]: tensor<2xf32>, %[[Y:.*]]: tensor<2xf32>)
// CHECK-NEXT: return %[[X]], %[[Y]] :
func.func @select(%x: tensor<2xf32>, %y: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %t = kiln.constant dense<true> : tensor<i1>
  %f = kiln.constant dense<false> : tensor<2xi1>
  %0 = kiln.select %t, %x, %y : (tensor<i1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = kiln.select %f, %x, %y : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// Refused: equal sizes change places.
// CHECK-LABEL: @transpose
// CHECK: kiln.permute
func.func @transpose(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = kiln.permute %x [1, 0] : tensor<3x3xf32> -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// Refused: a step takes other elements.
// CHECK-LABEL: @step
// CHECK: kiln.slice
func.func @step(%x: tensor<1xf32>) -> tensor<1xf32> {
  %0 = kiln.slice %x from <0> to <1> step [2] : tensor<1xf32> -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// Refused: x is broadcast to the condition's shape.
// CHECK-LABEL: @selectBroadcasts
// CHECK: kiln.select
func.func @selectBroadcasts(%x: tensor<1xf32>) -> tensor<2xf32> {
  %t = kiln.constant dense<true> : tensor<2xi1>
  %0 = kiln.select %t, %x, %x : (tensor<2xi1>, tensor<1xf32>, tensor<1xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
