// One function for each constraint and kind of ir/Elementwise.def.
// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @unary_C1_Number(%x: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.neg' op (C1) expected numbers, not booleans: x [2] bool}}
  %0 = kiln.neg %x : tensor<2xi1>
  return
}

// -----

func.func @unary_C1_Float(%x: tensor<2xi32>) {
  // expected-error@+1 {{'kiln.exp' op (C1) expected a float dtype: x [2] i32}}
  %0 = kiln.exp %x : tensor<2xi32>
  return
}

// -----

func.func @unary_C1_Bits(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.not' op (C1) expected booleans or integers: x [2] f32}}
  %0 = kiln.not %x : tensor<2xf32>
  return
}

// -----

func.func @unary_predicate(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.is_nan' op has result type 'tensor<2xf32>', expected 'tensor<2xi1>'}}
  %0 = kiln.is_nan %x : tensor<2xf32>
  return
}

// -----

func.func @binary_C1(%x: tensor<2xf32>, %y: tensor<2xf64>) {
  // expected-error@+1 {{'kiln.add' op (C1) dtypes differ: x [2] f32, y [2] f64}}
  %0 = kiln.add %x, %y : (tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @binary_C2_Number(%x: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.add' op (C2) expected numbers, not booleans: x [2] bool}}
  %0 = kiln.add %x, %x : tensor<2xi1>
  return
}

// -----

func.func @binary_C2_Float(%x: tensor<2xi32>) {
  // expected-error@+1 {{'kiln.div' op (C2) expected a float dtype: x [2] i32}}
  %0 = kiln.div %x, %x : tensor<2xi32>
  return
}

// -----

func.func @binary_C2_Bits(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.xor' op (C2) expected booleans or integers: x [2] f32}}
  %0 = kiln.xor %x, %x : tensor<2xf32>
  return
}

// -----

func.func @binary_C3(%x: tensor<2x3xf32>, %y: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.add' op (C3) shapes do not broadcast at axis -1: 3 and 2: x [2, 3] f32, y [2] f32}}
  %0 = kiln.add %x, %y : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

// Of a name nothing is known: neither that it is the other one, nor that it is 1.
func.func @binary_C3_symbolic(%x: tensor<?xf32, #kiln.dims<m>>, %y: tensor<?xf32, #kiln.dims<n>>) {
  // expected-error@+1 {{'kiln.add' op (C3) shapes do not broadcast at axis -1: m and n: x [m] f32, y [n] f32}}
  %0 = kiln.add %x, %y
      : (tensor<?xf32, #kiln.dims<m>>, tensor<?xf32, #kiln.dims<n>>) -> tensor<?xf32, #kiln.dims<m>>
  return
}

// -----

func.func @types(%x: tensor<2xf32>) {
  // expected-error@+1 {{expected 2 operands and a result}}
  %0 = kiln.add %x, %x : (tensor<2xf32>) -> tensor<2xf32>
  return
}
