// C4 is found when the program runs: never read, clamped or replaced.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

// expected-error@+1 {{[gather] index 3 at position 2 is out of range [0, 3)}}
func.func @main() -> tensor<2x2xf32> {
  %t = kiln.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %i = kiln.constant dense<[[2, 0], [3, -1]]> : tensor<2x2xi64>
  %0 = kiln.gather %t[%i] axis 0 : (tensor<3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----

// Negative indices are outside.
// expected-error@+1 {{[gather] index -1 at position 0 is out of range [0, 3)}}
func.func @main() -> tensor<1xf32> {
  %t = kiln.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %i = kiln.constant dense<-1> : tensor<1xi8>
  %0 = kiln.gather %t[%i] axis 0 : (tensor<3xf32>, tensor<1xi8>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// -----

// An empty table has no valid index.
// expected-error@+1 {{[gather] index 0 at position 0 is out of range [0, 0)}}
func.func @main() -> tensor<1xf32> {
  %t = kiln.constant dense<> : tensor<0xf32>
  %i = kiln.constant dense<0> : tensor<1xi8>
  %0 = kiln.gather %t[%i] axis 0 : (tensor<0xf32>, tensor<1xi8>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}

// -----

// Of a part of a table each index is checked against the whole, on every rank.
module attributes {kiln.ranks = 2 : i64} {
  // expected-error@+1 {{[gather] index 5 at position 1 is out of range [0, 5)}}
  func.func @main(%t: tensor<3xf32> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.whole = 5 : i64}) -> tensor<2xf32> {
    %i = kiln.constant dense<[4, 5]> : tensor<2xi64>
    %0 = kiln.gather %t[%i] axis 0 total 5 : (tensor<3xf32>, tensor<2xi64>) -> tensor<2xf32>
    return %0 : tensor<2xf32>
  }
}
