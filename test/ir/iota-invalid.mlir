// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1_oneDim() {
  // expected-error@+1 {{'kiln.iota' op (C1) expected a shape of one dim, got [2, 3]}}
  %0 = kiln.iota <2, 3> from 0 : i64 step 1 : i64 of i64 : tensor<2x3xi64>
  return
}

// -----

func.func @C1_negative() {
  // expected-error@+1 {{'kiln.iota' op (C1) dimensions must be non-negative: [-2]}}
  %0 = kiln.iota <-2> from 0 : i64 step 1 : i64 of i64 : tensor<2xi64>
  return
}

// -----

func.func @C2() {
  // expected-error@+1 {{'kiln.iota' op (C2) expected numbers, not booleans}}
  %0 = kiln.iota <2> from 0 : i64 step 1 : i64 of i1 : tensor<2xi1>
  return
}

// -----

func.func @C3() {
  // expected-error@+1 {{'kiln.iota' op (C3) expected floating-point start and step for f32}}
  %0 = kiln.iota <2> from 0 : i64 step 1 : i64 of f32 : tensor<2xf32>
  return
}

// -----

func.func @C4() {
  // expected-error@+1 {{'kiln.iota' op (C4) numbers from 250 by 3 overflow u8 within 3 elements}}
  %0 = kiln.iota <3> from 250 : i64 step 3 : i64 of ui8 : tensor<3xui8>
  return
}

// -----

func.func @resultType() {
  // expected-error@+1 {{'kiln.iota' op has result type 'tensor<4xi64>', expected 'tensor<3xi64>'}}
  %0 = kiln.iota <3> from 0 : i64 step 3 : i64 of i64 : tensor<4xi64>
  return
}
