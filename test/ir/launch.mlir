// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// One kernel, called twice.
// CHECK: kiln.launch @double(%{{.*}}) : (tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<n>>
// VALUE: result 0: [2] f32 = [2, 4]
// VALUE: result 1: [2] f32 = [4, 8]
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<[1.0, 2.0]> : tensor<2xf32>})
    -> (tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>) {
  %0 = kiln.launch @double(%x) : (tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<n>>
  %1 = kiln.launch @double(%0) : (tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<n>>
  return %0, %1 : tensor<?xf32, #kiln.dims<n>>, tensor<?xf32, #kiln.dims<n>>
}
func.func private @double(%x: tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<n>> attributes {kiln.kernel} {
  %0 = kiln.add %x, %x : tensor<?xf32, #kiln.dims<n>>
  return %0 : tensor<?xf32, #kiln.dims<n>>
}
