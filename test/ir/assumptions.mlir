// What cannot be told of symbolic dims is assumed, and checked when the program runs.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

// expected-error@+1 {{[max] the axis 0 has no elements: x [0] f32}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<> : tensor<0xf32>}) -> tensor<1xf32> {
  %0 = kiln.max %x axis 0 : (tensor<?xf32, #kiln.dims<n>>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// -----

// expected-error@+1 {{[slice] stop index 2 out of range for dimension size 1 of axis 0: x [1] f32}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<1.0> : tensor<1xf32>}) -> tensor<2xf32> {
  %0 = kiln.slice %x from <0> to <2> step [1] : tensor<?xf32, #kiln.dims<n>> -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
