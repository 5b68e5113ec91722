// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.cumsum' op (C1) axis 2 is out of range for x [2, 3] f32}}
  %0 = kiln.cumsum %x axis 2 : tensor<2x3xf32>
  return
}

// -----

func.func @C2(%x: tensor<2x3xi1>) {
  // expected-error@+1 {{'kiln.cumsum' op (C2) expected numbers, not booleans: x [2, 3] bool}}
  %0 = kiln.cumsum %x axis 1 : tensor<2x3xi1>
  return
}
