// The number of ranks is that of the module.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

module attributes {kiln.ranks = 2 : i64} {
  // expected-error@+1 {{[all_gather] of 3 ranks, there are 2}}
  func.func @main(%x: tensor<2xf32>) -> tensor<6xf32> {
    %0 = kiln.all_gather %x axis 0 ranks 3 : tensor<2xf32> -> tensor<6xf32>
    return %0 : tensor<6xf32>
  }
}

// -----

module attributes {kiln.ranks = 3 : i64} {
  // expected-error@+1 {{[local_slice] rank 2 of 2}}
  func.func @main(%x: tensor<2xf32>) -> tensor<1xf32> {
    %0 = kiln.local_slice %x axis 0 ranks 2 : tensor<2xf32> -> tensor<1xf32>
    return %0 : tensor<1xf32>
  }
}
