// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{'kiln.softmax' op (C1) axis -1 is out of range for x [2, 3] f32}}
  %0 = kiln.softmax %x axis -1 : tensor<2x3xf32>
  return
}

// -----

func.func @C2(%x: tensor<2x3xi32>) {
  // expected-error@+1 {{'kiln.softmax' op (C2) expected a float dtype: x [2, 3] i32}}
  %0 = kiln.softmax %x axis 1 : tensor<2x3xi32>
  return
}
