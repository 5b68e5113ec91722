// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.all_gather' op (C1) axis 1 is out of range for x [2] f32}}
  %0 = kiln.all_gather %x axis 1 ranks 2 : tensor<2xf32> -> tensor<4xf32>
  return
}

// -----

func.func @C2(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.all_gather' op (C2) expected 1 rank or more, got 0: x [2] f32}}
  %0 = kiln.all_gather %x axis 0 ranks 0 : tensor<2xf32> -> tensor<0xf32>
  return
}

// -----

func.func @type(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.all_gather' op has result type 'tensor<5xf32>', expected 'tensor<4xf32>'}}
  %0 = kiln.all_gather %x axis 0 ranks 2 : tensor<2xf32> -> tensor<5xf32>
  return
}
