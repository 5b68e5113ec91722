// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<3xf32>, %y: tensor<3x2xf32>) {
  // expected-error@+1 {{'kiln.matmul' op (C1) expected operands of rank 2 or more: x [3] f32, y [3, 2] f32}}
  %0 = kiln.matmul %x, %y : (tensor<3xf32>, tensor<3x2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @C2(%x: tensor<2x3xf32>, %y: tensor<3x2xbf16>) {
  // expected-error@+1 {{'kiln.matmul' op (C2) dtypes differ: x [2, 3] f32, y [3, 2] bf16}}
  %0 = kiln.matmul %x, %y : (tensor<2x3xf32>, tensor<3x2xbf16>) -> tensor<2x2xf32>
  return
}

// -----

func.func @C3(%x: tensor<2x2xi1>) {
  // expected-error@+1 {{'kiln.matmul' op (C3) expected numbers, not booleans: x [2, 2] bool}}
  %0 = kiln.matmul %x, %x : (tensor<2x2xi1>, tensor<2x2xi1>) -> tensor<2x2xi1>
  return
}

// -----

func.func @C4(%x: tensor<3x4xf32>, %y: tensor<5x6xf32>) {
  // expected-error@+1 {{'kiln.matmul' op (C4) inner dims differ: x [3, 4] f32, y [5, 6] f32}}
  %0 = kiln.matmul %x, %y : (tensor<3x4xf32>, tensor<5x6xf32>) -> tensor<3x6xf32>
  return
}

// -----

// Of two names nothing is known.
func.func @C4_symbolic(%x: tensor<3x?xf32, #kiln.dims<3, m>>, %y: tensor<?x6xf32, #kiln.dims<n, 6>>) {
  // expected-error@+1 {{'kiln.matmul' op (C4) inner dims differ: x [3, m] f32, y [n, 6] f32}}
  %0 = kiln.matmul %x, %y
      : (tensor<3x?xf32, #kiln.dims<3, m>>, tensor<?x6xf32, #kiln.dims<n, 6>>) -> tensor<3x6xf32>
  return
}

// -----

func.func @C5(%x: tensor<2x3x4xf32>, %y: tensor<3x4x5xf32>) {
  // expected-error@+1 {{'kiln.matmul' op (C5) batch shapes do not broadcast at axis -1: 2 and 3: x [2, 3, 4] f32, y [3, 4, 5] f32}}
  %0 = kiln.matmul %x, %y : (tensor<2x3x4xf32>, tensor<3x4x5xf32>) -> tensor<2x3x5xf32>
  return
}
