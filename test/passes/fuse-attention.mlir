// RUN: kiln-opt %s --split-input-file --kiln-fuse-attention --cse | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-attention --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// Scale, no mask.
// CHECK: func.func @main(%[[Q:[a-z0-9]+]]: tensor<2x3x4xf32>, %[[K:[a-z0-9]+]]: tensor<2x5x4xf32>, %[[V:[a-z0-9]+]]: tensor<2x5x6xf32>)
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.attention %[[Q]], %[[K]], %[[V]] scale 5.000000e-01 :
// CHECK-NEXT: return %[[A]]
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x5x4xf32>, %v: tensor<2x5x6xf32>) -> tensor<2x3x6xf32> {
  %two = kiln.constant dense<2.0> : tensor<f32>
  %kt = kiln.permute %k [0, 2, 1] : tensor<2x5x4xf32> -> tensor<2x4x5xf32>
  %0 = kiln.matmul %q, %kt : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  %1 = kiln.div %0, %two : (tensor<2x3x5xf32>, tensor<f32>) -> tensor<2x3x5xf32>
  %2 = kiln.softmax %1 axis 2 : tensor<2x3x5xf32>
  %3 = kiln.matmul %2, %v : (tensor<2x3x5xf32>, tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
  return %3 : tensor<2x3x6xf32>
}

// -----

// Heads split from [b, s, h, d], the transposition of k in the same permute: all are read as they lie.
// CHECK: func.func @main(%[[Q:[a-z0-9]+]]: tensor<?x?x2x4xf32, {{.*}}>, %[[K:[a-z0-9]+]]: tensor<?x?x2x4xf32, {{.*}}>, %[[V:[a-z0-9]+]]: tensor
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.attention %[[Q]], %[[K]], %[[V]] scale 5.000000e-01 layout "bshd"
// CHECK-NEXT: return %[[A]]
!x = tensor<?x?x2x4xf32, #kiln.dims<b, s, 2, 4>>
!h = tensor<?x2x?x4xf32, #kiln.dims<b, 2, s, 4>>
!t = tensor<?x2x4x?xf32, #kiln.dims<b, 2, 4, s>>
!s = tensor<?x2x?x?xf32, #kiln.dims<b, 2, s, s>>
func.func @main(%q: !x, %k: !x, %v: !x) -> !x {
  %half = kiln.constant dense<0.5> : tensor<f32>
  %qh = kiln.permute %q [0, 2, 1, 3] : !x -> !h
  %kt = kiln.permute %k [0, 2, 3, 1] : !x -> !t
  %vh = kiln.permute %v [0, 2, 1, 3] : !x -> !h
  %0 = kiln.matmul %qh, %kt : (!h, !t) -> !s
  %1 = kiln.mul %half, %0 : (tensor<f32>, !s) -> !s
  %2 = kiln.softmax %1 axis 3 : !s
  %3 = kiln.matmul %2, %vh : (!s, !h) -> !h
  %4 = kiln.permute %3 [0, 2, 1, 3] : !h -> !x
  return %4 : !x
}

// -----

// A float mask, on either side. Where it is -inf for all keys of a query, softmax gives NaN.
// CHECK: func.func @main(%[[Q:[a-z0-9]+]]: tensor<1x2x2xf32> {{.*}}, %[[M:[a-z0-9]+]]: tensor<2x2xf32>
// CHECK-DAG: %[[INF:[a-z0-9]+]] = kiln.constant dense<0xFF800000> : tensor<f32>
// CHECK-DAG: %[[NAN:[a-z0-9]+]] = kiln.constant dense<0x7FC00000> : tensor<f32>
// CHECK-DAG: %[[ONE:[a-z0-9]+]] = kiln.constant dense<1> : tensor<i64>
// CHECK: %[[A:[a-z0-9]+]] = kiln.attention %[[Q]], %[[Q]], %[[Q]] mask %[[M]] scale 1.000000e+00 :
// CHECK: %[[ON:[a-z0-9]+]] = kiln.gt %[[M]], %[[INF]]
// CHECK: %[[COUNT:[a-z0-9]+]] = kiln.sum %{{.*}} axis 1 : (tensor<2x2xi64>) -> tensor<2x1xi64>
// CHECK: %[[NONE:[a-z0-9]+]] = kiln.lt %[[COUNT]], %[[ONE]]
// CHECK: %[[SHAPED:[a-z0-9]+]] = kiln.reshape %[[NONE]] to <1, 2, 1>
// CHECK: kiln.select %[[SHAPED]], %[[NAN]], %[[A]]
func.func @main(%q: tensor<1x2x2xf32> {kiln.input = dense<[[[1.0, 0.5], [0.25, 2.0]]]> : tensor<1x2x2xf32>},
                %m: tensor<2x2xf32> {kiln.input = dense<[[0.5, 0xFF800000], [0xFF800000, 0xFF800000]]> : tensor<2x2xf32>})
    -> tensor<1x2x2xf32> {
  %kt = kiln.permute %q [0, 2, 1] : tensor<1x2x2xf32> -> tensor<1x2x2xf32>
  %0 = kiln.matmul %q, %kt : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %1 = kiln.add %m, %0 : (tensor<2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %2 = kiln.softmax %1 axis 2 : tensor<1x2x2xf32>
  %3 = kiln.matmul %2, %q : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %3 : tensor<1x2x2xf32>
}

// -----

// A boolean mask, for each text, of a symbolic number of keys (0 would give zeros), with heads to split.
// The NaNs go in before the heads are joined.
// CHECK: func.func @main
// CHECK: %[[A:[a-z0-9]+]] = kiln.attention %{{.*}} mask %[[M:[a-z0-9]+]] scale 1.000000e+00 layout "bshd"
// CHECK: %[[SIZE:[a-z0-9]+]] = kiln.size <s>
// CHECK: %[[LEAST:[a-z0-9]+]] = kiln.minimum %[[SIZE]]
// CHECK: %[[NONE:[a-z0-9]+]] = kiln.lt %{{.*}}, %[[LEAST]]
// CHECK: %[[Y:[a-z0-9]+]] = kiln.select %[[NONE]], %{{.*}}, %[[A]]
// CHECK-NEXT: return %[[Y]]
!x = tensor<?x?x2x4xf32, #kiln.dims<b, s, 2, 4>>
!h = tensor<?x2x?x4xf32, #kiln.dims<b, 2, s, 4>>
!t = tensor<?x2x4x?xf32, #kiln.dims<b, 2, 4, s>>
!s = tensor<?x2x?x?xf32, #kiln.dims<b, 2, s, s>>
!m = tensor<?x1x1x?xi1, #kiln.dims<b, 1, 1, s>>
func.func @main(%x: !x, %m: !m {kiln.input = dense<[[[[true, false, true]]], [[[false, false, false]]]]> : tensor<2x1x1x3xi1>}) -> !x {
  %off = kiln.constant dense<0xFF800000> : tensor<f32>
  %xh = kiln.permute %x [0, 2, 1, 3] : !x -> !h
  %kt = kiln.permute %xh [0, 1, 3, 2] : !h -> !t
  %0 = kiln.matmul %xh, %kt : (!h, !t) -> !s
  %1 = kiln.select %m, %0, %off : (!m, !s, tensor<f32>) -> !s
  %2 = kiln.softmax %1 axis 3 : !s
  %3 = kiln.matmul %2, %xh : (!s, !h) -> !h
  %4 = kiln.permute %3 [0, 2, 1, 3] : !h -> !x
  return %4 : !x
}

// -----

// A mask for each head and query: its condition has to be permuted as well. k is not transposed: it is now.
// CHECK: func.func @main(%[[Q:[a-z0-9]+]]: tensor<1x2x3x2xf32>, %[[K:[a-z0-9]+]]: tensor<1x3x2x2xf32>
// CHECK: %[[KT:[a-z0-9]+]] = kiln.permute %[[K]] [0, 1, 3, 2]
// CHECK: %[[A:[a-z0-9]+]] = kiln.attention %{{.*}}, %[[KT]], %{{.*}} mask %{{.*}} scale 1.000000e+00 :
// CHECK: kiln.select %{{.*}}, %{{.*}}, %[[A]]
func.func @main(%q: tensor<1x2x3x2xf32>, %k: tensor<1x3x2x2xf32>, %v: tensor<1x3x2x2xf32>,
                %m: tensor<1x3x2x2xi1>) -> tensor<1x3x2x2xf32> {
  %off = kiln.constant dense<0xFF800000> : tensor<f32>
  %qh = kiln.permute %q [0, 2, 1, 3] : tensor<1x2x3x2xf32> -> tensor<1x3x2x2xf32>
  %0 = kiln.matmul %qh, %k : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  %1 = kiln.select %m, %0, %off : (tensor<1x3x2x2xi1>, tensor<1x3x2x2xf32>, tensor<f32>) -> tensor<1x3x2x2xf32>
  %2 = kiln.softmax %1 axis 3 : tensor<1x3x2x2xf32>
  %3 = kiln.matmul %2, %v : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  return %3 : tensor<1x3x2x2xf32>
}

// -----

// The same with heads to split.
// CHECK: func.func @main
// CHECK: %[[A:[a-z0-9]+]] = kiln.attention %{{.*}} layout "bshd"
// CHECK: %[[C:[a-z0-9]+]] = kiln.permute %{{.*}} [0, 2, 1, 3] : tensor<1x3x2x1xi1> -> tensor<1x2x3x1xi1>
// CHECK: kiln.select %[[C]], %{{.*}}, %[[A]]
func.func @main(%x: tensor<1x2x3x2xf32>, %m: tensor<1x3x2x2xi1>) -> tensor<1x3x2x2xf32> {
  %off = kiln.constant dense<0xFF800000> : tensor<f32>
  %xh = kiln.permute %x [0, 2, 1, 3] : tensor<1x2x3x2xf32> -> tensor<1x3x2x2xf32>
  %kt = kiln.permute %xh [0, 1, 3, 2] : tensor<1x3x2x2xf32> -> tensor<1x3x2x2xf32>
  %0 = kiln.matmul %xh, %kt : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  %1 = kiln.select %m, %0, %off : (tensor<1x3x2x2xi1>, tensor<1x3x2x2xf32>, tensor<f32>) -> tensor<1x3x2x2xf32>
  %2 = kiln.softmax %1 axis 3 : tensor<1x3x2x2xf32>
  %3 = kiln.matmul %2, %xh : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32>
  return %3 : tensor<1x3x2x2xf32>
}

// -----

// Refused by TakeInPermutes: v is no permute of heads and positions.
// CHECK: func.func @main
// CHECK: %[[Q:[a-z0-9]+]] = kiln.permute
// CHECK: kiln.attention %[[Q]], %[[Q]], %{{.*}} scale 1.000000e+00 :
func.func @main(%q: tensor<3x2x4xf32>, %v: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.permute %q [1, 0, 2] : tensor<3x2x4xf32> -> tensor<2x3x4xf32>
  %1 = kiln.attention %0, %0, %v scale 1.0 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// -----

// Refused: "the softmax runs along another axis".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %0 axis 1 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9 : tensor<2x3x4xf32>
}

// -----

// Refused: "the weights are used elsewhere".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x3xf32>) {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %0 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9, %8 : tensor<2x3x4xf32>, tensor<2x3x3xf32>
}

// -----

// Refused: "the scores are used elsewhere".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x3xf32>) {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %0 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9, %0 : tensor<2x3x4xf32>, tensor<2x3x3xf32>
}

// -----

// Refused: "the masked scores are used elsewhere".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>, %m: tensor<2x3x3xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x3xf32>) {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %7 = kiln.add %0, %m : tensor<2x3x3xf32>
  %8 = kiln.softmax %7 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9, %7 : tensor<2x3x4xf32>, tensor<2x3x3xf32>
}

// -----

// Refused: "the scale is not finite".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %c = kiln.constant dense<0.0> : tensor<f32>
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %7 = kiln.div %0, %c : (tensor<2x3x3xf32>, tensor<f32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %7 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9 : tensor<2x3x4xf32>
}

// -----

// Refused: "the scores are no product": the scale is no number.
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>, %s: tensor<f32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %7 = kiln.mul %0, %s : (tensor<2x3x3xf32>, tensor<f32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %7 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9 : tensor<2x3x4xf32>
}

// -----

// Refused: "what is masked off is not -inf".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>, %m: tensor<2x3x3xi1>) -> tensor<2x3x4xf32> {
  %c = kiln.constant dense<-1.0e+09> : tensor<f32>
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %7 = kiln.select %m, %0, %c : (tensor<2x3x3xi1>, tensor<2x3x3xf32>, tensor<f32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %7 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9 : tensor<2x3x4xf32>
}

// -----

// Refused: "the mask is a scalar".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: kiln.softmax
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>, %v: tensor<2x3x4xf32>, %s: tensor<f32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<2x4x3xf32>) -> tensor<2x3x3xf32>
  %7 = kiln.add %0, %s : (tensor<2x3x3xf32>, tensor<f32>) -> tensor<2x3x3xf32>
  %8 = kiln.softmax %7 axis 2 : tensor<2x3x3xf32>
  %9 = kiln.matmul %8, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %9 : tensor<2x3x4xf32>
}

// -----

// Refused: "the mask or the scale widens the scores".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<1x3x4xf32>, %k: tensor<1x4x3xf32>, %v: tensor<1x3x4xf32>, %m: tensor<2x3x3xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<1x3x4xf32>, tensor<1x4x3xf32>) -> tensor<1x3x3xf32>
  %1 = kiln.add %0, %m : (tensor<1x3x3xf32>, tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  %2 = kiln.softmax %1 axis 2 : tensor<2x3x3xf32>
  %3 = kiln.matmul %2, %v : (tensor<2x3x3xf32>, tensor<1x3x4xf32>) -> tensor<2x3x4xf32>
  return %3 : tensor<2x3x4xf32>
}

// -----

// Refused: "leading dims broadcast".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<1x4x3xf32>, %v: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf32>, tensor<1x4x3xf32>) -> tensor<2x3x3xf32>
  %1 = kiln.softmax %0 axis 2 : tensor<2x3x3xf32>
  %2 = kiln.matmul %1, %v : (tensor<2x3x3xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %2 : tensor<2x3x4xf32>
}

// -----

// Refused: "no axis of heads".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<3x4xf32>, %k: tensor<4x3xf32>, %v: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = kiln.matmul %q, %k : (tensor<3x4xf32>, tensor<4x3xf32>) -> tensor<3x3xf32>
  %1 = kiln.softmax %0 axis 1 : tensor<3x3xf32>
  %2 = kiln.matmul %1, %v : (tensor<3x3xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %2 : tensor<3x4xf32>
}

// -----

// Refused: "no attention kernel for this dtype".
// CHECK: func.func @main
// CHECK-NOT: kiln.attention
// CHECK: return
func.func @main(%q: tensor<2x3x4xf64>, %k: tensor<2x4x3xf64>, %v: tensor<2x3x4xf64>) -> tensor<2x3x4xf64> {
  %0 = kiln.matmul %q, %k : (tensor<2x3x4xf64>, tensor<2x4x3xf64>) -> tensor<2x3x3xf64>
  %1 = kiln.softmax %0 axis 2 : tensor<2x3x3xf64>
  %2 = kiln.matmul %1, %v : (tensor<2x3x3xf64>, tensor<2x3x4xf64>) -> tensor<2x3x4xf64>
  return %2 : tensor<2x3x4xf64>
}
