// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @unknown(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.launch' op @none is not a function with kiln.kernel}}
  %0 = kiln.launch @none(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @plain(%x: tensor<2xf32>) -> tensor<2xf32>
func.func @noKernel(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.launch' op @plain is not a function with kiln.kernel}}
  %0 = kiln.launch @plain(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @kernel(%x: tensor<2xf32>) -> tensor<2xf32> attributes {kiln.kernel}
func.func @types(%x: tensor<3xf32>) {
  // expected-error@+1 {{'kiln.launch' op has operands or results of other types than those of @kernel}}
  %0 = kiln.launch @kernel(%x) : (tensor<3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func private @inner(%x: tensor<2xf32>) -> tensor<2xf32> attributes {kiln.kernel} {
  // expected-error@+1 {{'kiln.launch' op may not stand in a kernel}}
  %0 = kiln.launch @inner(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
