// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%q: tensor<2x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C1) expected operands of one rank, 3 or more: q [2, 4] f32, k [2, 4] f32, v [2, 4] f32}}
  %0 = kiln.attention %q, %q, %q scale 1.0 : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @C2(%q: tensor<1x2x4xf32>, %v: tensor<1x2x4xbf16>) {
  // expected-error@+1 {{'kiln.attention' op (C2) dtypes differ: q [1, 2, 4] f32, v [1, 2, 4] bf16}}
  %0 = kiln.attention %q, %q, %v scale 1.0 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xbf16>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @C3(%q: tensor<1x2x4xi32>) {
  // expected-error@+1 {{'kiln.attention' op (C3) expected a float dtype: q [1, 2, 4] i32}}
  %0 = kiln.attention %q, %q, %q scale 1.0 : (tensor<1x2x4xi32>, tensor<1x2x4xi32>, tensor<1x2x4xi32>) -> tensor<1x2x4xi32>
  return
}

// -----

func.func @C4(%q: tensor<3x1x2x4xf32>, %k: tensor<2x1x2x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C4) batch dims of axis 0 differ}}
  %0 = kiln.attention %q, %k, %k scale 1.0 : (tensor<3x1x2x4xf32>, tensor<2x1x2x4xf32>, tensor<2x1x2x4xf32>) -> tensor<3x1x2x4xf32>
  return
}

// -----

func.func @C5_width(%q: tensor<1x2x4xf32>, %k: tensor<1x2x3xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C5) head sizes differ: q [1, 2, 4] f32, k [1, 2, 3] f32}}
  %0 = kiln.attention %q, %k, %k scale 1.0 : (tensor<1x2x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<1x2x3xf32>
  return
}

// -----

func.func @C5_length(%q: tensor<1x2x4xf32>, %v: tensor<1x3x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C5) heads or lengths differ: k [1, 2, 4] f32, v [1, 3, 4] f32}}
  %0 = kiln.attention %q, %q, %v scale 1.0 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x3x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @C6(%q: tensor<3x2x4xf32>, %k: tensor<2x2x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C6) 3 heads of q are no multiple of 2 heads of k: q [3, 2, 4] f32, k [2, 2, 4] f32}}
  %0 = kiln.attention %q, %k, %k scale 1.0 : (tensor<3x2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x4xf32>) -> tensor<3x2x4xf32>
  return
}

// -----

func.func @C7(%q: tensor<1x2x4xf32>, %m: tensor<2x2xi32>) {
  // expected-error@+1 {{'kiln.attention' op (C7) expected a mask of booleans or of the dtype of q: q [1, 2, 4] f32, mask [2, 2] i32}}
  %0 = kiln.attention %q, %q, %q mask %m scale 1.0 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<2x2xi32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @C8(%q: tensor<1x2x4xf32>, %m: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.attention' op (C8) the mask does not broadcast to [..., H, Sq, Sk], [1, 2, 2]: mask [2, 3] bool}}
  %0 = kiln.attention %q, %q, %q mask %m scale 1.0 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<2x3xi1>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @C9(%q: tensor<1x2x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C9) expected layout "bhsd" or "bshd", got "sbhd"}}
  %0 = kiln.attention %q, %q, %q scale 1.0 layout "sbhd" : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}

// -----

func.func @C10(%q: tensor<1x2x4xf32>) {
  // expected-error@+1 {{'kiln.attention' op (C10) scale must be finite, got inf}}
  %0 = kiln.attention %q, %q, %q scale 0x7FF0000000000000 : (tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return
}
