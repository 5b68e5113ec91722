// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: %[[R:.*]]:2 = kiln.fusion (%[[A:.*]] = %{{.*}} : tensor<?xf32, #kiln.dims<n>>, %[[B:.*]] = %{{.*}} : tensor<f32>) -> (tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>) attributes {name = "scale"} {
// CHECK: kiln.yield
// VALUE: result 0: [2] f32 = [3, 6]
// VALUE: result 1: [2] f32 = [-3, -6]
// VALUE: result 2: [] f32 = 3
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<[1.0, 2.0]> : tensor<2xf32>})
    -> (tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>, tensor<f32>) {
  %y = kiln.constant dense<3.0> : tensor<f32>
  %0:2 = kiln.fusion (%a = %x : tensor<?xf32, #kiln.dims<n>>, %b = %y : tensor<f32>)
      -> (tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>) attributes {name = "scale"} {
    %p = kiln.mul %a, %b : (tensor<?xf32, #kiln.dims<n>>, tensor<f32>) -> tensor<?xf32, #kiln.dims<n>>
    %n = kiln.neg %p : tensor<?xf32, #kiln.dims<n>>
    kiln.yield %p, %n : tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>
  }
  %1 = kiln.fusion () -> tensor<f32> {
    %c = kiln.constant dense<3.0> : tensor<f32>
    kiln.yield %c : tensor<f32>
  }
  return %0#0, %0#1, %1 : tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>, tensor<f32>
}
