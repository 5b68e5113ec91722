// C8 is found when the program runs.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

// expected-error@+1 {{[scatter] index 3 at position 1 is out of range [0, 3)}}
func.func @main() -> tensor<3xf32> {
  %x = kiln.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %i = kiln.constant dense<[2, 3, -1]> : tensor<3xi64>
  %0 = kiln.scatter %x[%i] "none" %x : (tensor<3xf32>, tensor<3xi64>, tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

// Negative indices are outside, and so are all of rows without elements.
// expected-error@+1 {{[scatter] index -1 at position 0 is out of range [0, 3)}}
func.func @main() -> tensor<3x0xf32> {
  %x = kiln.constant dense<> : tensor<3x0xf32>
  %i = kiln.constant dense<-1> : tensor<1xi8>
  %u = kiln.constant dense<> : tensor<1x0xf32>
  %0 = kiln.scatter %x[%i] "add" %u : (tensor<3x0xf32>, tensor<1xi8>, tensor<1x0xf32>) -> tensor<3x0xf32>
  return %0 : tensor<3x0xf32>
}
