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

// -----

// expected-error@+1 {{[windows] windows of 3 elements do not fit into the dimension size 2 of axis 0: x [2] f32}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<1.0> : tensor<2xf32>})
    -> tensor<?x3xf32, #kiln.dims<n - 2, 3>> {
  %0 = kiln.windows %x axis 0 size 3 stride 1 dilation 1
      : tensor<?xf32, #kiln.dims<n>> -> tensor<?x3xf32, #kiln.dims<n - 2, 3>>
  return %0 : tensor<?x3xf32, #kiln.dims<n - 2, 3>>
}

// -----

// expected-error@+1 {{[rebind] dims of axis 0 differ: x [2] f32 and [3]}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<1.0> : tensor<2xf32>}) -> tensor<3xf32> {
  %0 = kiln.rebind %x to <3> : tensor<?xf32, #kiln.dims<n>> -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// expected-error@+1 {{[argsort] count 3 is out of range for dimension size 2 of axis 0: x [2] f32}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<1.0> : tensor<2xf32>}) -> tensor<3xi64> {
  %0 = kiln.argsort %x axis 0 count <3> : tensor<?xf32, #kiln.dims<n>> -> tensor<3xi64>
  return %0 : tensor<3xi64>
}

// -----

// expected-error@+1 {{[dequantize] rows of 33 bytes, but the blocks of Q8_0 have 34: packed [33] u8}}
func.func @main(%x: tensor<?xui8, #kiln.dims<m>> {kiln.input = dense<1> : tensor<33xui8>})
    -> tensor<?xf32, #kiln.dims<(m / 34) * 32>> {
  %0 = kiln.dequantize %x as "Q8_0" : tensor<?xui8, #kiln.dims<m>> -> tensor<?xf32, #kiln.dims<(m / 34) * 32>>
  return %0 : tensor<?xf32, #kiln.dims<(m / 34) * 32>>
}
