// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<18xi8>) {
  // expected-error@+1 {{'kiln.dequantize' op (C1) expected uint8: packed [18] i8}}
  %0 = kiln.dequantize %x as "Q4_0" : tensor<18xi8> -> tensor<32xf32>
  return
}

// -----

func.func @C2(%x: tensor<ui8>) {
  // expected-error@+1 {{'kiln.dequantize' op (C2) expected a rank of 1 or more: packed [] u8}}
  %0 = kiln.dequantize %x as "Q4_0" : tensor<ui8> -> tensor<f32>
  return
}

// -----

func.func @C3(%x: tensor<18xui8>) {
  // expected-error@+1 {{'kiln.dequantize' op (C3) no encoding is called "Q5_1"}}
  %0 = kiln.dequantize %x as "Q5_1" : tensor<18xui8> -> tensor<32xf32>
  return
}

// -----

// In upper case.
func.func @C3_case(%x: tensor<18xui8>) {
  // expected-error@+1 {{'kiln.dequantize' op (C3) no encoding is called "q4_0"}}
  %0 = kiln.dequantize %x as "q4_0" : tensor<18xui8> -> tensor<32xf32>
  return
}

// -----

func.func @C4(%x: tensor<2x288xui8>) {
  // expected-error@+1 {{'kiln.dequantize' op (C4) rows of 288 bytes, but the blocks of Q6_K have 210: packed [2, 288] u8}}
  %0 = kiln.dequantize %x as "Q6_K" : tensor<2x288xui8> -> tensor<2x256xf32>
  return
}

// -----

func.func @result(%x: tensor<18xui8>) {
  // expected-error@+1 {{'kiln.dequantize' op}}
  %0 = kiln.dequantize %x as "Q4_0" : tensor<18xui8> -> tensor<64xf32>
  return
}
