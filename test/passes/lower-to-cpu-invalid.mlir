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

// -----

// A linear's weights all stay packed, or none does; what is decoded for it is never stored.
func.func @main(%x: tensor<2x32xf32>, %w: tensor<3x18xui8>, %v: tensor<3x32xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0:2 = kiln.launch @linear(%x, %w, %v) : (tensor<2x32xf32>, tensor<3x18xui8>, tensor<3x32xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<2x3xf32>
}
func.func private @linear(%x: tensor<2x32xf32>, %w: tensor<3x18xui8>, %v: tensor<3x32xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) attributes {kiln.kernel} {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  // expected-error @+1 {{a linear cannot have weights that stay packed and others}}
  %0:2 = kiln.linear %x, weights(%d, %v) : (tensor<2x32xf32>, tensor<3x32xf32>, tensor<3x32xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

func.func @main(%x: tensor<2x32xf32>, %w: tensor<3x18xui8>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0:2 = kiln.launch @linear(%x, %w) : (tensor<2x32xf32>, tensor<3x18xui8>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<2x3xf32>
}
func.func private @linear(%x: tensor<2x32xf32>, %w: tensor<3x18xui8>) -> (tensor<2x3xf32>, tensor<2x3xf32>) attributes {kiln.kernel} {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  // expected-error @+1 {{decoded rows of a linear are never stored: nothing else can read them}}
  %0:2 = kiln.linear %x, weights(%d, %d) : (tensor<2x32xf32>, tensor<3x32xf32>, tensor<3x32xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<2x3xf32>
}
