// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<4xf32>) {
  // expected-error@+1 {{'kiln.reshape' op (C1) dimensions must be non-negative: [-2, -2]}}
  %0 = kiln.reshape %x to <-2, -2> : tensor<4xf32> -> tensor<2x2xf32>
  return
}

// -----

func.func @C2_static(%x: tensor<4xf32>) {
  // expected-error@+1 {{'kiln.reshape' op (C2) 4 elements do not make [3], which has 3: x [4] f32}}
  %0 = kiln.reshape %x to <3> : tensor<4xf32> -> tensor<3xf32>
  return
}

// -----

// For n = 63 that is another number of elements.
func.func @C2_symbolic(%x: tensor<?xf32, #kiln.dims<n>>) {
  // expected-error@+1 {{'kiln.reshape' op (C2) the number of elements, n, is not known to be that of}}
  %0 = kiln.reshape %x to <n / 4, 4>
      : tensor<?xf32, #kiln.dims<n>> -> tensor<?x4xf32, #kiln.dims<n / 4, 4>>
  return
}
