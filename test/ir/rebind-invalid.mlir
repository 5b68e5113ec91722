// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.rebind' op (C1) dimensions must be non-negative: [-3]}}
  %0 = kiln.rebind %x to <-3> : tensor<3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @C2(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.rebind' op (C2) ranks differ: x [3] f32 and [3, 1]}}
  %0 = kiln.rebind %x to <3, 1> : tensor<3xf32> -> tensor<3x1xf32>
  return
}

// -----

func.func @C3(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.rebind' op (C3) dims of axis 1 differ: x [2, 3] f32 and [n, 4]}}
  %0 = kiln.rebind %x to <n, 4> : tensor<2x3xf32> -> tensor<?x4xf32, #kiln.dims<n, 4>>
  return
}

// -----

func.func @C3_symbolic(%x: tensor<?xf32, #kiln.dims<n>>) {
  // expected-error@+1 {{'kiln.rebind' op (C3) dims of axis 0 differ: x [n] f32 and [n + 1]}}
  %0 = kiln.rebind %x to <n + 1> : tensor<?xf32, #kiln.dims<n>> -> tensor<?xf32, #kiln.dims<n + 1>>
  return
}
