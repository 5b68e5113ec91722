// RUN: kiln-opt %s --split-input-file --kiln-partition --verify-diagnostics

module attributes {kiln.ranks = 2 : i64} {
  // expected-error@+1 {{[partition] the size of axis 0 of "table" [n, 2] f32 must be a number to be split over 2 ranks}}
  func.func @main(%t: tensor<?x2xf32, #kiln.dims<n, 2>> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.name = "table"}) {
    return
  }
}

// -----

// Rows of a product's weight.
module attributes {kiln.ranks = 4 : i64} {
  func.func @main(%x: tensor<3x6xf32>, %w: tensor<2x6xf32> {kiln.role = "weight", kiln.shard = 1 : i64, kiln.name = "fc.weight"}) -> tensor<3x2xf32> {
    %0 = kiln.permute %w [1, 0] : tensor<2x6xf32> -> tensor<6x2xf32>
    // expected-error@+1 {{[partition] 6 rows of the product's right side [6, 2], made of "fc.weight" that is split along them, are no multiple of 4 ranks}}
    %1 = kiln.matmul %x, %0 : (tensor<3x6xf32>, tensor<6x2xf32>) -> tensor<3x2xf32>
    return %1 : tensor<3x2xf32>
  }
}
