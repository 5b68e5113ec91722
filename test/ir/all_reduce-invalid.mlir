// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.all_reduce' op (C1) expected the reduction sum, got mean}}
  %0 = kiln.all_reduce %x "mean" : tensor<2xf32>
  return
}

// -----

func.func @C2(%x: tensor<2xi1>) {
  // expected-error@+1 {{'kiln.all_reduce' op (C2) expected numbers, not booleans: x [2] bool}}
  %0 = kiln.all_reduce %x "sum" : tensor<2xi1>
  return
}
