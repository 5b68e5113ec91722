// C9 is found when the program runs.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

// expected-error@+1 {{[scatter_elements] index 2 at position 1 is out of range [0, 2)}}
func.func @main() -> tensor<2x2xf32> {
  %x = kiln.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %i = kiln.constant dense<[[1, 2], [1, -1]]> : tensor<2x2xi64>
  %0 = kiln.scatter_elements %x[%i] axis 0 "add" %x
      : (tensor<2x2xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
