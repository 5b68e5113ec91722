// RUN: kiln-opt %s --split-input-file --kiln-lower-to-cpu --verify-diagnostics
// RUN: not kiln-opt %s --split-input-file --kiln-lower-to-cpu=target=z80 2>&1 | FileCheck %s

// CHECK: error: unknown target "z80": expected x86-64, x86-64-v3 or x86-64-v4

// A kernel goes through one product or one reduction.
func.func @main(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
  %0 = kiln.launch @two(%x) : (tensor<2x2xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}
func.func private @two(%x: tensor<2x2xf32>) -> tensor<2x1xf32> attributes {kiln.kernel} {
  %0 = kiln.softmax %x axis 1 : tensor<2x2xf32>
  // expected-error @+1 {{is a second anchor of kernel two}}
  %1 = kiln.sum %0 axis 1 : (tensor<2x2xf32>) -> tensor<2x1xf32>
  return %1 : tensor<2x1xf32>
}

// -----

// What is packed at load must be there at load.
func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = kiln.launch @linear(%x, %x) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  // expected-error @+1 {{operand 1 must be a weight: its kernel wants it packed as rows:}}
  %1 = kiln.launch @linear(%x, %0) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}
func.func private @linear(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> attributes {kiln.kernel} {
  %0 = kiln.linear %x, weights(%w) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
