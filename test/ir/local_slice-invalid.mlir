// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.local_slice' op (C1) axis 1 is out of range for x [2] f32}}
  %0 = kiln.local_slice %x axis 1 ranks 2 : tensor<2xf32> -> tensor<1xf32>
  return
}

// -----

func.func @C2(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.local_slice' op (C2) expected 1 rank or more, got -1: x [2] f32}}
  %0 = kiln.local_slice %x axis 0 ranks -1 : tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @C3(%x: tensor<3x2xf32>) {
  // expected-error@+1 {{'kiln.local_slice' op (C3) 2 ranks cannot have equal parts of axis 0: x [3, 2] f32}}
  %0 = kiln.local_slice %x axis 0 ranks 2 : tensor<3x2xf32> -> tensor<1x2xf32>
  return
}

// -----

func.func @C3(%x: tensor<?xf32, #kiln.dims<n>>) {
  // expected-error@+1 {{'kiln.local_slice' op (C3) 2 ranks cannot have equal parts of axis 0: x [n] f32}}
  %0 = kiln.local_slice %x axis 0 ranks 2 : tensor<?xf32, #kiln.dims<n>> -> tensor<1xf32>
  return
}
