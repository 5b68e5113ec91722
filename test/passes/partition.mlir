// RUN: kiln-opt %s --split-input-file --kiln-partition --canonicalize | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-partition --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// Rows of a table, 5 over 2 ranks: the reduction stands between the gather and what follows. Used
// twice it is reduced once.
// CHECK: func.func @main
// CHECK-SAME: tensor<3x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.whole = 5 : i64}
// CHECK: %[[G:[a-z0-9]+]] = kiln.gather %{{.*}}[%{{.*}}] axis 0 total 5 : (tensor<3x4xf32>
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[G]] "sum"
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.add %[[R]], %{{.*}}
// CHECK-NEXT: %[[N:[a-z0-9]+]] = kiln.layer_norm %[[A]]
// CHECK-NEXT: return %[[N]], %[[R]]
!i = tensor<?xi64, #kiln.dims<n>>
!x = tensor<?x4xf32, #kiln.dims<n, 4>>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<5x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %i: !i, %b: tensor<4xf32>) -> (!x, !x) {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x4xf32>, !i) -> !x
    %1 = kiln.add %0, %b : (!x, tensor<4xf32>) -> !x
    %2 = kiln.layer_norm %1 epsilon 1.0e-05 : (!x) -> !x
    return %2, %0 : !x, !x
  }
}

// -----

// More ranks than rows; a table of booleans, which are summed as bytes; indices that are
// gathered themselves are reduced first.
// CHECK: func.func @main
// CHECK-SAME: tensor<1xi64> {
// CHECK: %[[J:[a-z0-9]+]] = kiln.gather %{{.*}} axis 0 total 3 : (tensor<1xi64>, tensor<4xi64>)
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[J]]
// CHECK-NEXT: %[[G:[a-z0-9]+]] = kiln.gather %{{.*}}[%[[R]]] axis 0 total 4 : (tensor<1xi1>
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.cast %[[G]] to ui8
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.all_reduce %[[C]]
// CHECK-NEXT: %[[B:[a-z0-9]+]] = kiln.cast %[[S]] to i1
// CHECK-NEXT: return %[[R]], %[[B]]
module attributes {kiln.ranks = 8 : i64} {
  func.func @main(%t: tensor<3xi64> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.input = dense<[2, 0, 3]> : tensor<3xi64>},
                  %m: tensor<4xi1> {kiln.role = "weight", kiln.shard = 0 : i64}) -> (tensor<4xi64>, tensor<4xi1>) {
    %i = kiln.constant dense<[2, 1, 0, 0]> : tensor<4xi64>
    %0 = kiln.gather %t[%i] axis 0 : (tensor<3xi64>, tensor<4xi64>) -> tensor<4xi64>
    %1 = kiln.gather %m[%0] axis 0 : (tensor<4xi1>, tensor<4xi64>) -> tensor<4xi1>
    return %0, %1 : tensor<4xi64>, tensor<4xi1>
  }
}

// -----

// Columns of a table give columns, whatever stands before them.
// CHECK: %[[G:[a-z0-9]+]] = kiln.gather %{{.*}} axis 0 : (tensor<5x2xf32>, tensor<2x3xi64>) -> tensor<2x3x2xf32>
// CHECK: %[[E:[a-z0-9]+]] = kiln.exp %[[G]] : tensor<2x3x2xf32>
// CHECK-NEXT: %[[W:[a-z0-9]+]] = kiln.all_gather %[[E]] axis 2 ranks 2 : tensor<2x3x2xf32> -> tensor<2x3x4xf32>
// CHECK: %[[H:[a-z0-9]+]] = kiln.gather %{{.*}} axis 1 : (tensor<2x5xf32>, tensor<2x3xi64>) -> tensor<2x2x3xf32>
// CHECK: kiln.all_gather %[[H]] axis 0 ranks 2 : tensor<2x2x3xf32> -> tensor<4x2x3xf32>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<5x4xf32> {kiln.role = "weight", kiln.shard = 1 : i64},
                  %u: tensor<4x5xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %i: tensor<2x3xi64>)
      -> (tensor<2x3x4xf32>, tensor<4x2x3xf32>) {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
    %1 = kiln.exp %0 : tensor<2x3x4xf32>
    %2 = kiln.gather %u[%i] axis 1 : (tensor<4x5xf32>, tensor<2x3xi64>) -> tensor<4x2x3xf32>
    return %1, %2 : tensor<2x3x4xf32>, tensor<4x2x3xf32>
  }
}

// -----

// A product that makes rows smaller is taken before they are summed, in another shape as well; one
// that makes them larger after it.
// CHECK: %[[G:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[V:[a-z0-9]+]] = kiln.reshape %[[G]]
// CHECK-NEXT: %[[P:[a-z0-9]+]] = kiln.matmul %[[V]]
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[P]] "sum" : tensor<6x2xf32>
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.add %[[R]]
// CHECK: %[[H:[a-z0-9]+]] = kiln.gather
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.all_reduce %[[H]]
// CHECK-NEXT: kiln.matmul %[[S]]
module attributes {kiln.ranks = 3 : i64} {
  func.func @main(%t: tensor<5x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
                  %u: tensor<5x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
                  %w: tensor<4x2xf32> {kiln.role = "weight"}, %v: tensor<2x4xf32> {kiln.role = "weight"},
                  %b: tensor<2xf32>, %i: tensor<2x3xi64>) -> (tensor<6x2xf32>, tensor<2x3x4xf32>) {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x4xf32>, tensor<2x3xi64>) -> tensor<2x3x4xf32>
    %1 = kiln.reshape %0 to <6, 4> : tensor<2x3x4xf32> -> tensor<6x4xf32>
    %2 = kiln.matmul %1, %w : (tensor<6x4xf32>, tensor<4x2xf32>) -> tensor<6x2xf32>
    %3 = kiln.add %2, %b : (tensor<6x2xf32>, tensor<2xf32>) -> tensor<6x2xf32>
    %4 = kiln.gather %u[%i] axis 0 : (tensor<5x2xf32>, tensor<2x3xi64>) -> tensor<2x3x2xf32>
    %5 = kiln.matmul %4, %v : (tensor<2x3x2xf32>, tensor<2x4xf32>) -> tensor<2x3x4xf32>
    return %3, %5 : tensor<6x2xf32>, tensor<2x3x4xf32>
  }
}

// -----

// Columns, then rows: the bias between the products is cut, that behind them added once; one
// all_reduce. The residual is whole.
// CHECK: func.func @main
// CHECK-SAME: tensor<3x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.whole = 6 : i64}
// CHECK: %[[B:[a-z0-9]+]] = kiln.local_slice %{{.*}} axis 0 ranks 2 : tensor<6xf32> -> tensor<3xf32>
// CHECK-NOT: kiln.all
// CHECK: %[[P:[a-z0-9]+]] = kiln.matmul %{{.*}} -> tensor<?x3xf32
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.add %[[P]], %[[B]]
// CHECK-NEXT: %[[H:[a-z0-9]+]] = kiln.gelu %[[A]]
// CHECK: %[[Q:[a-z0-9]+]] = kiln.matmul %[[H]]
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[Q]]
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.add %[[R]]
// CHECK-NEXT: kiln.add %[[S]]
!x = tensor<?x4xf32, #kiln.dims<n, 4>>
!h = tensor<?x6xf32, #kiln.dims<n, 6>>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%x: !x, %up: tensor<6x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %b: tensor<6xf32> {kiln.role = "weight"},
                  %down: tensor<4x6xf32> {kiln.role = "weight", kiln.shard = 1 : i64}, %c: tensor<4xf32> {kiln.role = "weight"}) -> !x {
    %0 = kiln.permute %up [1, 0] : tensor<6x4xf32> -> tensor<4x6xf32>
    %1 = kiln.matmul %x, %0 : (!x, tensor<4x6xf32>) -> !h
    %2 = kiln.add %1, %b : (!h, tensor<6xf32>) -> !h
    %3 = kiln.gelu %2 : !h
    %4 = kiln.permute %down [1, 0] : tensor<4x6xf32> -> tensor<6x4xf32>
    %5 = kiln.matmul %3, %4 : (!h, tensor<6x4xf32>) -> !x
    %6 = kiln.add %5, %c : (!x, tensor<4xf32>) -> !x
    %7 = kiln.add %6, %x : !x
    return %7 : !x
  }
}

// -----

// Rows alone: x is cut. Columns alone, an uneven number: what fills up the last part is cut off
// again, and the bias is added to the whole.
// CHECK: %[[X:[a-z0-9]+]] = kiln.local_slice %{{.*}} axis 1 ranks 2 : tensor<3x4xf32> -> tensor<3x2xf32>
// CHECK: %[[P:[a-z0-9]+]] = kiln.matmul %[[X]]
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[P]]
// CHECK-NEXT: %[[Q:[a-z0-9]+]] = kiln.matmul %{{.*}} -> tensor<3x3xf32>
// CHECK-NEXT: %[[W:[a-z0-9]+]] = kiln.all_gather %[[Q]] axis 1 ranks 2 : tensor<3x3xf32> -> tensor<3x6xf32>
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.slice %[[W]] from <0, 0> to <3, 5>
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.add %[[S]]
// CHECK-NEXT: return %[[R]], %[[A]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%x: tensor<3x4xf32>, %w: tensor<4x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
                  %v: tensor<4x5xf32> {kiln.role = "weight", kiln.shard = 1 : i64}, %b: tensor<5xf32>) -> (tensor<3x2xf32>, tensor<3x5xf32>) {
    %0 = kiln.matmul %x, %w : (tensor<3x4xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
    %1 = kiln.matmul %x, %v : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
    %2 = kiln.add %1, %b : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
    return %0, %2 : tensor<3x2xf32>, tensor<3x5xf32>
  }
}

// -----

// Heads: the columns of q, k and v are heads, each for itself up to the rows of the last product.
// The mask is stretched along them; scores have another one that is cut.
// CHECK: func.func @main
// CHECK-NOT: kiln.all
// CHECK: kiln.matmul %{{.*}} : (tensor<2x2x3x2xf32>, tensor<2x2x2x3xf32>) -> tensor<2x2x3x3xf32>
// CHECK-NOT: kiln.all
// CHECK: kiln.softmax %{{.*}} axis 3 : tensor<2x2x3x3xf32>
// CHECK-NOT: kiln.all
// CHECK: kiln.matmul %{{.*}} : (tensor<6x4xf32>, tensor<4x8xf32>) -> tensor<6x8xf32>
// CHECK-NEXT: kiln.all_reduce
// CHECK-NEXT: return
!w = tensor<8x8xf32>
!x = tensor<6x8xf32>
!h = tensor<2x4x3x2xf32>
!s = tensor<2x4x3x3xf32>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%x: !x, %q: !w {kiln.role = "weight", kiln.shard = 1 : i64}, %k: !w {kiln.role = "weight", kiln.shard = 1 : i64},
                  %v: !w {kiln.role = "weight", kiln.shard = 1 : i64}, %o: !w {kiln.role = "weight", kiln.shard = 0 : i64},
                  %m: tensor<2x1x1x3xf32>, %a: tensor<4x1x3xf32>) -> !x {
    %0 = kiln.matmul %x, %q : (!x, !w) -> !x
    %1 = kiln.matmul %x, %k : (!x, !w) -> !x
    %2 = kiln.matmul %x, %v : (!x, !w) -> !x
    %3 = kiln.reshape %0 to <2, 3, 4, 2> : !x -> tensor<2x3x4x2xf32>
    %4 = kiln.reshape %1 to <2, 3, 4, 2> : !x -> tensor<2x3x4x2xf32>
    %5 = kiln.reshape %2 to <2, 3, 4, 2> : !x -> tensor<2x3x4x2xf32>
    %6 = kiln.permute %3 [0, 2, 1, 3] : tensor<2x3x4x2xf32> -> !h
    %7 = kiln.permute %4 [0, 2, 3, 1] : tensor<2x3x4x2xf32> -> tensor<2x4x2x3xf32>
    %8 = kiln.permute %5 [0, 2, 1, 3] : tensor<2x3x4x2xf32> -> !h
    %9 = kiln.matmul %6, %7 : (!h, tensor<2x4x2x3xf32>) -> !s
    %10 = kiln.add %9, %m : (!s, tensor<2x1x1x3xf32>) -> !s
    %11 = kiln.add %10, %a : (!s, tensor<4x1x3xf32>) -> !s
    %12 = kiln.softmax %11 axis 3 : !s
    %13 = kiln.matmul %12, %8 : (!s, !h) -> !h
    %14 = kiln.permute %13 [0, 2, 1, 3] : !h -> tensor<2x3x4x2xf32>
    %15 = kiln.reshape %14 to <6, 8> : tensor<2x3x4x2xf32> -> !x
    %16 = kiln.matmul %15, %o : (!x, !w) -> !x
    return %16 : !x
  }
}

// -----

// The same with kiln.attention, fewer heads of k and v, and a mask with heads.
// CHECK: kiln.attention %{{.*}} : (tensor<2x3x2xf32>, tensor<1x3x2xf32>, tensor<1x3x2xf32>, tensor<2x3x3xf32>) -> tensor<2x3x2xf32>
// CHECK-NEXT: kiln.all_gather %{{.*}} axis 0
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%q: tensor<4x3x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %k: tensor<2x3x2xf32>, %m: tensor<4x3x3xf32>) -> tensor<4x3x2xf32> {
    %0 = kiln.attention %q, %k, %k mask %m scale 1.0 : (tensor<4x3x2xf32>, tensor<2x3x2xf32>, tensor<2x3x2xf32>, tensor<4x3x3xf32>) -> tensor<4x3x2xf32>
    return %0 : tensor<4x3x2xf32>
  }
}

// -----

// Refused: a head of k and v for all of q.
// CHECK: kiln.all_gather %{{.*}} axis 0
// CHECK-NEXT: kiln.attention %{{.*}} : (tensor<4x3x2xf32>
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%q: tensor<4x3x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %k: tensor<1x3x2xf32>) -> tensor<4x3x2xf32> {
    %0 = kiln.attention %q, %k, %k scale 1.0 : (tensor<4x3x2xf32>, tensor<1x3x2xf32>, tensor<1x3x2xf32>) -> tensor<4x3x2xf32>
    return %0 : tensor<4x3x2xf32>
  }
}

// -----

// Views, concat and operations along another axis keep what is split.
// CHECK: func.func @main
// CHECK-NOT: kiln.all
// CHECK: %[[Y:[a-z0-9]+]] = kiln.sum %{{.*}} axis 1 : tensor<2x1x7xf32>
// CHECK-NOT: kiln.all
// CHECK: %[[Z:[a-z0-9]+]] = kiln.layer_norm %{{.*}} : (tensor<2x1x7xf32>) -> tensor<2x1x7xf32>
// CHECK: kiln.all_gather %[[Z]] axis 0 ranks 3
module attributes {kiln.ranks = 3 : i64} {
  func.func @main(%w: tensor<6x4xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %y: tensor<6x3xf32>) -> tensor<6x1x7xf32> {
    %0 = kiln.concat %w, %y axis 1 : (tensor<6x4xf32>, tensor<6x3xf32>) -> tensor<6x7xf32>
    %1 = kiln.rebind %0 to <6, 7> : tensor<6x7xf32> -> tensor<6x7xf32>
    %2 = kiln.broadcast_to %1 to <2, 6, 7> : tensor<6x7xf32> -> tensor<2x6x7xf32>
    %3 = kiln.slice %2 from <1, 0, 0> to <2, 6, 7> step [1, 1, 1] : tensor<2x6x7xf32> -> tensor<1x6x7xf32>
    %4 = kiln.permute %3 [1, 0, 2] : tensor<1x6x7xf32> -> tensor<6x1x7xf32>
    %5 = kiln.sum %4 axis 1 : (tensor<6x1x7xf32>) -> tensor<6x1x7xf32>
    %6 = kiln.cumsum %5 axis 2 : tensor<6x1x7xf32>
    %7 = kiln.layer_norm %6 epsilon 1.0e-05 : (tensor<6x1x7xf32>) -> tensor<6x1x7xf32>
    return %7 : tensor<6x1x7xf32>
  }
}

// -----

// Along the axis itself all of it is needed, without what fills up the last part.
// CHECK: %[[G:[a-z0-9]+]] = kiln.all_gather %{{.*}} axis 0 ranks 2 : tensor<3x2xf32> -> tensor<6x2xf32>
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.slice %[[G]] from <0, 0> to <5, 2>
// CHECK-NEXT: kiln.mean %[[S]]
// CHECK-NEXT: kiln.concat %[[S]]
// CHECK-NEXT: kiln.slice %[[S]]
// CHECK-NEXT: kiln.add %[[S]]
// CHECK-NEXT: kiln.scatter %[[S]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%w: tensor<5x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %y: tensor<5x2xf32>, %r: tensor<1x2xf32>)
      -> (tensor<1x2xf32>, tensor<10x2xf32>, tensor<4x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>) {
    %i = kiln.constant dense<[3]> : tensor<1xi64>
    %0 = kiln.mean %w axis 0 : (tensor<5x2xf32>) -> tensor<1x2xf32>
    %1 = kiln.concat %w, %y axis 0 : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<10x2xf32>
    %2 = kiln.slice %w from <1, 0> to <5, 2> step [1, 1] : tensor<5x2xf32> -> tensor<4x2xf32>
    %3 = kiln.add %w, %y : tensor<5x2xf32>
    %4 = kiln.scatter %w[%i] "none" %r : (tensor<5x2xf32>, tensor<1xi64>, tensor<1x2xf32>) -> tensor<5x2xf32>
    return %0, %1, %2, %3, %4 : tensor<1x2xf32>, tensor<10x2xf32>, tensor<4x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>
  }
}

// -----

// Embeddings tied to the output layer: rows of the table, and columns of the product.
// CHECK: kiln.gather %{{.*}} axis 0 total 7
// CHECK: kiln.matmul %{{.*}} : (tensor<3x2xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
// CHECK-NEXT: kiln.all_gather
// CHECK-NEXT: kiln.slice
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<7x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %i: tensor<3xi64>) -> tensor<3x7xf32> {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<7x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
    %1 = kiln.permute %t [1, 0] : tensor<7x2xf32> -> tensor<2x7xf32>
    %2 = kiln.matmul %0, %1 : (tensor<3x2xf32>, tensor<2x7xf32>) -> tensor<3x7xf32>
    return %2 : tensor<3x7xf32>
  }
}

// -----

// A size of 1 over several ranks is stretched as a whole. Subgraphs are inlined. Rows of x over
// ranks stay rows.
// CHECK: func.func @main
// CHECK-NOT: call
// CHECK: kiln.slice %{{.*}} from <0, 0> to <1, 2>
// CHECK: kiln.matmul %{{.*}} : (tensor<2x2xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
module attributes {kiln.ranks = 2 : i64} {
  func.func private @subgraph_0(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
    %0 = kiln.neg %x : tensor<4x2xf32>
    return %0 : tensor<4x2xf32>
  }
  func.func @main(%w: tensor<1x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %x: tensor<4x2xf32>,
                  %u: tensor<4x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %v: tensor<2x3xf32>) -> (tensor<4x2xf32>, tensor<4x3xf32>) {
    %0 = kiln.add %w, %x : (tensor<1x2xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
    %1 = call @subgraph_0(%0) : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %2 = call @subgraph_0(%u) : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %3 = kiln.matmul %2, %v : (tensor<4x2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    return %1, %3 : tensor<4x2xf32>, tensor<4x3xf32>
  }
}

// -----

// Packed rows are summed as bytes, then decoded; a packed weight's rows, and blocks of its rows, are
// decoded in parts. Not half a block.
// CHECK: %[[W:[a-z0-9]+]] = kiln.all_gather %{{.*}} axis 1 ranks 2 : tensor<4x27xui8> -> tensor<4x54xui8>
// CHECK-NEXT: %[[G:[a-z0-9]+]] = kiln.gather %{{.*}} axis 0 total 5 : (tensor<3x36xui8>
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.all_reduce %[[G]] "sum" : tensor<3x36xui8>
// CHECK-NEXT: %[[D:[a-z0-9]+]] = kiln.dequantize %[[R]] as "Q4_0" : tensor<3x36xui8> -> tensor<3x64xf32>
// CHECK-NEXT: %[[X:[a-z0-9]+]] = kiln.local_slice %[[D]] axis 1
// CHECK-NEXT: %[[U:[a-z0-9]+]] = kiln.dequantize %{{.*}} : tensor<2x36xui8> -> tensor<2x64xf32>
// CHECK-NEXT: %[[P:[a-z0-9]+]] = kiln.permute %[[U]]
// CHECK-NEXT: %[[H:[a-z0-9]+]] = kiln.matmul %[[D]], %[[P]]
// CHECK-NEXT: kiln.all_gather %[[H]] axis 1
// CHECK: %[[V:[a-z0-9]+]] = kiln.dequantize %{{.*}} : tensor<4x18xui8> -> tensor<4x32xf32>
// CHECK: %[[Q:[a-z0-9]+]] = kiln.matmul %[[X]], %{{.*}} : (tensor<3x32xf32>, tensor<32x4xf32>) -> tensor<3x4xf32>
// CHECK-NEXT: kiln.all_reduce %[[Q]]
// CHECK-NEXT: kiln.dequantize %[[W]]
module attributes {kiln.ranks = 2 : i64} {
  func.func @main(%t: tensor<5x36xui8> {kiln.role = "weight", kiln.shard = 0 : i64}, %u: tensor<4x36xui8> {kiln.role = "weight", kiln.shard = 0 : i64},
                  %v: tensor<4x36xui8> {kiln.role = "weight", kiln.shard = 1 : i64}, %w: tensor<4x54xui8> {kiln.role = "weight", kiln.shard = 1 : i64},
                  %i: tensor<3xi64>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<4x96xf32>) {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x36xui8>, tensor<3xi64>) -> tensor<3x36xui8>
    %1 = kiln.dequantize %0 as "Q4_0" : tensor<3x36xui8> -> tensor<3x64xf32>
    %2 = kiln.dequantize %u as "Q4_0" : tensor<4x36xui8> -> tensor<4x64xf32>
    %3 = kiln.permute %2 [1, 0] : tensor<4x64xf32> -> tensor<64x4xf32>
    %4 = kiln.matmul %1, %3 : (tensor<3x64xf32>, tensor<64x4xf32>) -> tensor<3x4xf32>
    %5 = kiln.dequantize %v as "Q4_0" : tensor<4x36xui8> -> tensor<4x64xf32>
    %6 = kiln.permute %5 [1, 0] : tensor<4x64xf32> -> tensor<64x4xf32>
    %7 = kiln.matmul %1, %6 : (tensor<3x64xf32>, tensor<64x4xf32>) -> tensor<3x4xf32>
    %8 = kiln.dequantize %w as "Q4_0" : tensor<4x54xui8> -> tensor<4x96xf32>
    return %4, %7, %8 : tensor<3x4xf32>, tensor<3x4xf32>, tensor<4x96xf32>
  }
}

// -----

// One rank has all.
// CHECK: func.func @main
// CHECK-SAME: tensor<5x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
// CHECK-NEXT: kiln.gather
// CHECK-NOT: total
// CHECK: return
module attributes {kiln.ranks = 1 : i64} {
  func.func @main(%t: tensor<5x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64}, %i: tensor<3xi64>) -> tensor<3x2xf32> {
    %0 = kiln.gather %t[%i] axis 0 : (tensor<5x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
    return %0 : tensor<3x2xf32>
  }
}
