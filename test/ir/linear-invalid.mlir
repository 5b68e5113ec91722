// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.linear' op (C1) expected x, 2 weights and no bias or one for each, got 4 operands}}
  %0:2 = kiln.linear %x, weights(%w, %w) biases(%b)
      : (tensor<4x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
  return
}

// -----

func.func @C2(%x: tensor<f32>, %w: tensor<3x2xf32>) {
  // expected-error@+1 {{'kiln.linear' op (C2) expected a rank of 1 or more: x [] f32}}
  %0 = kiln.linear %x, weights(%w) : (tensor<f32>, tensor<3x2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @C3(%x: tensor<4x2xi1>, %w: tensor<3x2xi1>) {
  // expected-error@+1 {{'kiln.linear' op (C3) expected numbers, not booleans: x [4, 2] bool}}
  %0 = kiln.linear %x, weights(%w) : (tensor<4x2xi1>, tensor<3x2xi1>) -> tensor<4x3xi1>
  return
}

// -----

func.func @C4(%x: tensor<4x2xf32>, %w: tensor<3x2xbf16>) {
  // expected-error@+1 {{'kiln.linear' op (C4) dtypes differ: x [4, 2] f32, weight [3, 2] bf16}}
  %0 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<3x2xbf16>) -> tensor<4x3xf32>
  return
}

// -----

func.func @C5(%x: tensor<4x2xf32>, %w: tensor<1x3x2xf32>) {
  // expected-error@+1 {{'kiln.linear' op (C5) expected a weight of rank 2: weight [1, 3, 2] f32}}
  %0 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<1x3x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @C6(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>) {
  // expected-error@+1 {{'kiln.linear' op (C6) inner dims differ: x [4, 2] f32, weight [3, 2] f32}}
  %0 = kiln.linear %x, weights(%w) {transposed = false} : (tensor<4x2xf32>, tensor<3x2xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @C7(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>, %b: tensor<1x3xf32>) {
  // expected-error@+1 {{'kiln.linear' op (C7) expected a bias of shape [3]: weight [3, 2] f32, bias [1, 3] f32}}
  %0 = kiln.linear %x, weights(%w) biases(%b) : (tensor<4x2xf32>, tensor<3x2xf32>, tensor<1x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @results(%x: tensor<4x2xf32>, %w: tensor<3x2xf32>) {
  // expected-error@+1 {{'kiln.linear' op has 2 results, expected 1}}
  %0:2 = kiln.linear %x, weights(%w) : (tensor<4x2xf32>, tensor<3x2xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
  return
}
