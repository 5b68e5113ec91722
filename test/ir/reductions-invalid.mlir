// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @sum_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.sum' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.sum %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @sum_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.sum' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.sum %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi1>
  return
}

// -----

func.func @prod_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.prod' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.prod %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @prod_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.prod' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.prod %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi1>
  return
}

// -----

func.func @mean_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.mean' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.mean %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @mean_C2(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{'kiln.mean' op (C2) expected a float dtype: x [2, 3] i32}}
  %0 = kiln.mean %x axis 1 : (tensor<2x3xi32>) -> tensor<2x1xi32>
  return
}

// -----

func.func @max_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.max' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.max %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @max_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.max' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.max %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi1>
  return
}

// -----

func.func @max_C3(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'kiln.max' op (C3) the axis 1 has no elements: x [2, 0] f32}}
  %0 = kiln.max %x axis 1 : (tensor<2x0xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @min_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.min' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.min %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @min_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.min' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.min %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi1>
  return
}

// -----

func.func @min_C3(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'kiln.min' op (C3) the axis 1 has no elements: x [2, 0] f32}}
  %0 = kiln.min %x axis 1 : (tensor<2x0xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @argmax_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.argmax' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.argmax %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xi64>
  return
}

// -----

func.func @argmax_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.argmax' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.argmax %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi64>
  return
}

// -----

func.func @argmax_C3(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'kiln.argmax' op (C3) the axis 1 has no elements: x [2, 0] f32}}
  %0 = kiln.argmax %x axis 1 : (tensor<2x0xf32>) -> tensor<2x1xi64>
  return
}

// -----

func.func @argmin_C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.argmin' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.argmin %x axis 2 : (tensor<2x3xf32>) -> tensor<2x1xi64>
  return
}

// -----

func.func @argmin_C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.argmin' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.argmin %x axis 1 : (tensor<2x3xi1>) -> tensor<2x1xi64>
  return
}

// -----

func.func @argmin_C3(%x: tensor<2x0xf32>) {
  // expected-error@+1 {{'kiln.argmin' op (C3) the axis 1 has no elements: x [2, 0] f32}}
  %0 = kiln.argmin %x axis 1 : (tensor<2x0xf32>) -> tensor<2x1xi64>
  return
}
