// RUN: kiln-opt %s --split-input-file --verify-diagnostics

// cast has no constraint of its own; its result's type follows from the attribute.

func.func @resultType(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.cast' op has result type 'tensor<2xi8>', expected 'tensor<2xbf16>'}}
  %0 = kiln.cast %x to bf16 : tensor<2xf32> -> tensor<2xi8>
  return
}

// -----

func.func @noDType(%x: tensor<2xf32>) {
  // expected-error@+1 {{dtype}}
  %0 = kiln.cast %x to index : tensor<2xf32> -> tensor<2xi8>
  return
}
