// RUN: kiln-opt %s --split-input-file --kiln-fuse-elementwise | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-elementwise --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// A chain of one shape, through casts and movements, is one loop, whose values are computed once.
// CHECK: func.func @main
// CHECK-NEXT: %[[F:[a-z0-9]+]] = kiln.fusion
// CHECK-NEXT: kiln.exp
// CHECK-NEXT: kiln.broadcast_to
// CHECK-NEXT: kiln.permute
// CHECK-NEXT: kiln.add
// CHECK-NEXT: kiln.cast
// CHECK-NEXT: kiln.yield
// CHECK: return %[[F]]
func.func @main(%x: tensor<3x2xf32>, %r: tensor<3xf32>) -> tensor<2x3xf16> {
  %0 = kiln.exp %x : tensor<3x2xf32>
  %1 = kiln.permute %0 [1, 0] : tensor<3x2xf32> -> tensor<2x3xf32>
  %2 = kiln.broadcast_to %r to <2, 3> : tensor<3xf32> -> tensor<2x3xf32>
  %3 = kiln.add %1, %2 : tensor<2x3xf32>
  %4 = kiln.cast %3 to f16 : tensor<2x3xf32> -> tensor<2x3xf16>
  return %4 : tensor<2x3xf16>
}

// -----

// Rows: what is computed before the reduction, and on its result, of symbolic size.
// CHECK: func.func @main
// CHECK-NEXT: kiln.fusion
// CHECK-NEXT: kiln.mul
// CHECK-NEXT: kiln.sum
// CHECK-NEXT: kiln.sqrt
// CHECK-NEXT: kiln.div
// CHECK-NEXT: kiln.yield
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
!s = tensor<?x1xf32, #kiln.dims<n, 1>>
func.func @main(%x: !x, %y: !s) -> !s {
  %0 = kiln.mul %x, %x : !x
  %1 = kiln.sum %0 axis 1 : (!x) -> !s
  %2 = kiln.sqrt %1 : !s
  %3 = kiln.div %y, %2 : !s
  return %3 : !s
}

// -----

// So do totals and orders; what is read by index is computed where it is read.
// CHECK: func.func @main
// CHECK-NEXT: kiln.fusion
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.cumsum
// CHECK-NEXT: kiln.abs
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.relu
// CHECK-NEXT: kiln.argsort
// CHECK-NEXT: kiln.add
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.broadcast_to
// CHECK-NEXT: kiln.permute
// CHECK-NEXT: kiln.gather_elements
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.yield
!x = tensor<?x2xf32, #kiln.dims<n, 2>>
!i = tensor<?x1xi64, #kiln.dims<n, 1>>
!p = tensor<2x?xf32, #kiln.dims<2, n>>
func.func @main(%x: !x, %y: !x, %p: !p) -> (!x, !i, !x) {
  %0 = kiln.neg %x : !x
  %1 = kiln.cumsum %0 axis 0 : !x
  %2 = kiln.abs %1 : !x
  %3 = kiln.relu %y : !x
  %4 = kiln.argsort %3 axis 1 count <1> : !x -> !i
  %5 = kiln.add %4, %4 : !i
  %6 = kiln.permute %p [1, 0] : !p -> !x
  %i = kiln.constant dense<0> : tensor<1x2xi64>
  %j = kiln.broadcast_to %i to <n, 2> : tensor<1x2xi64> -> tensor<?x2xi64, #kiln.dims<n, 2>>
  %7 = kiln.gather_elements %6[%j] axis 1 : (!x, tensor<?x2xi64, #kiln.dims<n, 2>>) -> !x
  %8 = kiln.neg %7 : !x
  return %2, %5, %8 : !x, !i, !x
}

// -----

// A layer_norm that fuse-gather has made a kernel; a reshape that drops an axis of size 1, and what is
// behind it. The row of x that is used twice is one result.
// CHECK: func.func @main
// CHECK-NEXT: %[[F:[a-z0-9]+]]:2 = kiln.fusion
// CHECK-NEXT: kiln.slice
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.gather
// CHECK-NEXT: kiln.add
// CHECK-NEXT: kiln.layer_norm
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.yield
// CHECK: return %[[F]]#0, %[[F]]#1
func.func @main(%t: tensor<4x2xf32>, %s: tensor<2x2xf32>, %i: tensor<3xi64>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %0 = kiln.slice %s from <0, 0> to <1, 2> step [1, 1] : tensor<2x2xf32> -> tensor<1x2xf32>
  %1 = kiln.reshape %0 to <2> : tensor<1x2xf32> -> tensor<2xf32>
  %2 = kiln.fusion (%a = %t : tensor<4x2xf32>, %b = %i : tensor<3xi64>, %c = %1 : tensor<2xf32>) -> tensor<3x2xf32> {
    %3 = kiln.gather %a[%b] axis 0 : (tensor<4x2xf32>, tensor<3xi64>) -> tensor<3x2xf32>
    %4 = kiln.add %3, %c : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
    %5 = kiln.layer_norm %4 epsilon 1.0e-05 : (tensor<3x2xf32>) -> tensor<3x2xf32>
    kiln.yield %5 : tensor<3x2xf32>
  }
  %6 = kiln.neg %2 : tensor<3x2xf32>
  return %2, %6 : tensor<3x2xf32>, tensor<3x2xf32>
}

// -----

// What is concatenated is smaller, but each element is read once; so are pieces of one value.
// CHECK: func.func @main
// CHECK-NEXT: kiln.fusion
// CHECK-DAG: kiln.exp
// CHECK-DAG: kiln.neg
// CHECK-DAG: kiln.concat %{{.*}} axis 0
// CHECK: kiln.yield
// CHECK: kiln.fusion
// CHECK-DAG: kiln.sin
// CHECK-COUNT-2: kiln.slice
// CHECK: kiln.concat
// CHECK: kiln.yield
func.func @main(%x: tensor<2x3xf32>, %y: tensor<?x3xf32, #kiln.dims<n, 3>>, %z: tensor<4x3xf32>) -> (tensor<?x3xf32, #kiln.dims<n + 2, 3>>, tensor<4x3xf32>) {
  %0 = kiln.exp %x : tensor<2x3xf32>
  %1 = kiln.neg %y : tensor<?x3xf32, #kiln.dims<n, 3>>
  %2 = kiln.concat %0, %1 axis 0 : (tensor<2x3xf32>, tensor<?x3xf32, #kiln.dims<n, 3>>) -> tensor<?x3xf32, #kiln.dims<n + 2, 3>>
  %3 = kiln.sin %z : tensor<4x3xf32>
  %4 = kiln.slice %3 from <0, 0> to <2, 3> step [1, 1] : tensor<4x3xf32> -> tensor<2x3xf32>
  %5 = kiln.slice %3 from <2, 0> to <4, 3> step [1, 1] : tensor<4x3xf32> -> tensor<2x3xf32>
  %6 = kiln.concat %5, %4 axis 0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  return %2, %6 : tensor<?x3xf32, #kiln.dims<n + 2, 3>>, tensor<4x3xf32>
}

// -----

// Refused: a costly function behind a concat along the last axis, which is read one by one; a cheap one
// may (rotary embeddings).
// CHECK: func.func @main
// CHECK: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-DAG: kiln.neg
// CHECK-DAG: kiln.concat
func.func @main(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> tensor<2x6xf32> {
  %0 = kiln.exp %x : tensor<2x3xf32>
  %1 = kiln.neg %y : tensor<2x3xf32>
  %2 = kiln.concat %0, %1 axis 1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
  return %2 : tensor<2x6xf32>
}

// -----

// Refused: what is smaller than the kernel's result would be computed again for each row; a cast may.
// CHECK: func.func @main
// CHECK: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.cast
// CHECK-NEXT: kiln.add
func.func @main(%x: tensor<2x3xf32>, %r: tensor<3xf32>, %h: tensor<3xf16>) -> tensor<2x3xf32> {
  %0 = kiln.exp %r : tensor<3xf32>
  %1 = kiln.cast %h to f32 : tensor<3xf16> -> tensor<3xf32>
  %2 = kiln.add %x, %1 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %3 = kiln.add %2, %0 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %3 : tensor<2x3xf32>
}

// -----

// Refused: what is read at two places (as it is and permuted) would be computed twice.
// CHECK: func.func @main
// CHECK: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.permute
// CHECK-NEXT: kiln.add
func.func @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = kiln.exp %x : tensor<3x3xf32>
  %1 = kiln.permute %0 [1, 0] : tensor<3x3xf32> -> tensor<3x3xf32>
  %2 = kiln.add %0, %1 : tensor<3x3xf32>
  return %2 : tensor<3x3xf32>
}

// -----

// Refused: the same before and behind a softmax.
// CHECK: func.func @main
// CHECK: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.softmax
// CHECK-NEXT: kiln.mul
func.func @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = kiln.exp %x : tensor<3x3xf32>
  %1 = kiln.softmax %0 axis 1 : tensor<3x3xf32>
  %2 = kiln.mul %0, %1 : tensor<3x3xf32>
  return %2 : tensor<3x3xf32>
}

// -----

// Refused: two kernels need it, or it is returned: it is stored.
// CHECK: func.func @main
// CHECK-COUNT-4: kiln.fusion
// CHECK: return
func.func @main(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) {
  %0 = kiln.exp %x : tensor<3x2xf32>
  %1 = kiln.neg %0 : tensor<3x2xf32>
  %2 = kiln.sin %0 : tensor<3x2xf32>
  %3 = kiln.cos %2 : tensor<3x2xf32>
  return %1, %2, %3 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>
}

// -----

// Refused: what follows a reduction in another shape, or needs it by way of something else.
// CHECK: func.func @main
// CHECK: kiln.max
// CHECK-NEXT: kiln.yield
// CHECK: kiln.sub
// CHECK-NEXT: kiln.yield
// CHECK: kiln.softmax
// CHECK-NEXT: kiln.yield
// CHECK: kiln.permute
// CHECK-NEXT: kiln.add
func.func @main(%x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3x3xf32>) {
  %0 = kiln.max %x axis 1 : (tensor<3x3xf32>) -> tensor<3x1xf32>
  %1 = kiln.sub %x, %0 : (tensor<3x3xf32>, tensor<3x1xf32>) -> tensor<3x3xf32>
  %2 = kiln.softmax %x axis 1 : tensor<3x3xf32>
  %3 = kiln.permute %2 [1, 0] : tensor<3x3xf32> -> tensor<3x3xf32>
  %4 = kiln.add %2, %3 : tensor<3x3xf32>
  return %1, %4 : tensor<3x3xf32>, tensor<3x3xf32>
}

// -----

// Refused: the x of a linear with a layer_norm, which is copied for each block of columns; a reshape with
// nothing to fuse behind it, or of another form, stays a view.
// CHECK: func.func @main
// CHECK: kiln.neg
// CHECK-NEXT: kiln.yield
// CHECK: kiln.linear
// CHECK: %[[V:[a-z0-9]+]] = kiln.reshape
// CHECK-NEXT: %[[W:[a-z0-9]+]] = kiln.reshape
// CHECK-NEXT: kiln.fusion ({{.*}} = %[[V]] : {{.*}} = %[[W]] :
// CHECK-NEXT: kiln.add
func.func @main(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>, %y: tensor<4xf32>) -> tensor<1x4xf32> {
  %0 = kiln.neg %x : tensor<2x2xf32>
  %1 = kiln.fusion (%a = %0 : tensor<2x2xf32>, %b = %w : tensor<2x2xf32>) -> tensor<2x2xf32> {
    %2 = kiln.linear %a, weights(%b) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
    %3 = kiln.layer_norm %2 epsilon 1.0e-05 : (tensor<2x2xf32>) -> tensor<2x2xf32>
    kiln.yield %3 : tensor<2x2xf32>
  }
  %4 = kiln.reshape %1 to <1, 4> : tensor<2x2xf32> -> tensor<1x4xf32>
  %5 = kiln.reshape %y to <1, 4> : tensor<4xf32> -> tensor<1x4xf32>
  %6 = kiln.add %4, %5 : tensor<1x4xf32>
  return %6 : tensor<1x4xf32>
}

// -----

// Nothing to fuse: constants, several results, one twice.
// CHECK: func.func @main
// CHECK-NEXT: %[[C:[a-z0-9]+]] = kiln.constant
// CHECK-NEXT: return %[[C]], %{{.*}}, %[[C]]
func.func @main(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %c = kiln.constant dense<2.0> : tensor<f32>
  return %c, %x, %c : tensor<f32>, tensor<f32>, tensor<f32>
}

// -----

// Refused: a kernel that is full. A chain of 81 becomes two.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK-COUNT-17: kiln.sin
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-COUNT-64: kiln.sin
// CHECK-NEXT: kiln.yield
// CHECK: return
func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = kiln.sin %x : tensor<3xf32>
  %1 = kiln.sin %0 : tensor<3xf32>
  %2 = kiln.sin %1 : tensor<3xf32>
  %3 = kiln.sin %2 : tensor<3xf32>
  %4 = kiln.sin %3 : tensor<3xf32>
  %5 = kiln.sin %4 : tensor<3xf32>
  %6 = kiln.sin %5 : tensor<3xf32>
  %7 = kiln.sin %6 : tensor<3xf32>
  %8 = kiln.sin %7 : tensor<3xf32>
  %9 = kiln.sin %8 : tensor<3xf32>
  %10 = kiln.sin %9 : tensor<3xf32>
  %11 = kiln.sin %10 : tensor<3xf32>
  %12 = kiln.sin %11 : tensor<3xf32>
  %13 = kiln.sin %12 : tensor<3xf32>
  %14 = kiln.sin %13 : tensor<3xf32>
  %15 = kiln.sin %14 : tensor<3xf32>
  %16 = kiln.sin %15 : tensor<3xf32>
  %17 = kiln.sin %16 : tensor<3xf32>
  %18 = kiln.sin %17 : tensor<3xf32>
  %19 = kiln.sin %18 : tensor<3xf32>
  %20 = kiln.sin %19 : tensor<3xf32>
  %21 = kiln.sin %20 : tensor<3xf32>
  %22 = kiln.sin %21 : tensor<3xf32>
  %23 = kiln.sin %22 : tensor<3xf32>
  %24 = kiln.sin %23 : tensor<3xf32>
  %25 = kiln.sin %24 : tensor<3xf32>
  %26 = kiln.sin %25 : tensor<3xf32>
  %27 = kiln.sin %26 : tensor<3xf32>
  %28 = kiln.sin %27 : tensor<3xf32>
  %29 = kiln.sin %28 : tensor<3xf32>
  %30 = kiln.sin %29 : tensor<3xf32>
  %31 = kiln.sin %30 : tensor<3xf32>
  %32 = kiln.sin %31 : tensor<3xf32>
  %33 = kiln.sin %32 : tensor<3xf32>
  %34 = kiln.sin %33 : tensor<3xf32>
  %35 = kiln.sin %34 : tensor<3xf32>
  %36 = kiln.sin %35 : tensor<3xf32>
  %37 = kiln.sin %36 : tensor<3xf32>
  %38 = kiln.sin %37 : tensor<3xf32>
  %39 = kiln.sin %38 : tensor<3xf32>
  %40 = kiln.sin %39 : tensor<3xf32>
  %41 = kiln.sin %40 : tensor<3xf32>
  %42 = kiln.sin %41 : tensor<3xf32>
  %43 = kiln.sin %42 : tensor<3xf32>
  %44 = kiln.sin %43 : tensor<3xf32>
  %45 = kiln.sin %44 : tensor<3xf32>
  %46 = kiln.sin %45 : tensor<3xf32>
  %47 = kiln.sin %46 : tensor<3xf32>
  %48 = kiln.sin %47 : tensor<3xf32>
  %49 = kiln.sin %48 : tensor<3xf32>
  %50 = kiln.sin %49 : tensor<3xf32>
  %51 = kiln.sin %50 : tensor<3xf32>
  %52 = kiln.sin %51 : tensor<3xf32>
  %53 = kiln.sin %52 : tensor<3xf32>
  %54 = kiln.sin %53 : tensor<3xf32>
  %55 = kiln.sin %54 : tensor<3xf32>
  %56 = kiln.sin %55 : tensor<3xf32>
  %57 = kiln.sin %56 : tensor<3xf32>
  %58 = kiln.sin %57 : tensor<3xf32>
  %59 = kiln.sin %58 : tensor<3xf32>
  %60 = kiln.sin %59 : tensor<3xf32>
  %61 = kiln.sin %60 : tensor<3xf32>
  %62 = kiln.sin %61 : tensor<3xf32>
  %63 = kiln.sin %62 : tensor<3xf32>
  %64 = kiln.sin %63 : tensor<3xf32>
  %65 = kiln.sin %64 : tensor<3xf32>
  %66 = kiln.sin %65 : tensor<3xf32>
  %67 = kiln.sin %66 : tensor<3xf32>
  %68 = kiln.sin %67 : tensor<3xf32>
  %69 = kiln.sin %68 : tensor<3xf32>
  %70 = kiln.sin %69 : tensor<3xf32>
  %71 = kiln.sin %70 : tensor<3xf32>
  %72 = kiln.sin %71 : tensor<3xf32>
  %73 = kiln.sin %72 : tensor<3xf32>
  %74 = kiln.sin %73 : tensor<3xf32>
  %75 = kiln.sin %74 : tensor<3xf32>
  %76 = kiln.sin %75 : tensor<3xf32>
  %77 = kiln.sin %76 : tensor<3xf32>
  %78 = kiln.sin %77 : tensor<3xf32>
  %79 = kiln.sin %78 : tensor<3xf32>
  %80 = kiln.sin %79 : tensor<3xf32>
  return %80 : tensor<3xf32>
}

// -----

// Refused: more pieces of code than a kernel should have. Each step reads the one before at two places.
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.fusion
// CHECK: return
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = kiln.concat %x, %x axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %1 = kiln.slice %0 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %2 = kiln.concat %1, %1 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %3 = kiln.slice %2 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %4 = kiln.concat %3, %3 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %5 = kiln.slice %4 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %6 = kiln.concat %5, %5 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %7 = kiln.slice %6 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %8 = kiln.concat %7, %7 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %9 = kiln.slice %8 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %10 = kiln.concat %9, %9 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %11 = kiln.slice %10 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %12 = kiln.concat %11, %11 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %13 = kiln.slice %12 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %14 = kiln.concat %13, %13 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %15 = kiln.slice %14 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %16 = kiln.concat %15, %15 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %17 = kiln.slice %16 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %18 = kiln.concat %17, %17 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %19 = kiln.slice %18 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %20 = kiln.concat %19, %19 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %21 = kiln.slice %20 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  %22 = kiln.concat %21, %21 axis 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %23 = kiln.slice %22 from <2> to <6> step [1] : tensor<8xf32> -> tensor<4xf32>
  return %23 : tensor<4xf32>
}

// -----

// gather + dequantize + elementwise: one pass, in which packed rows are read and nothing of them is stored.
// CHECK: func.func @main
// CHECK-NEXT: %[[F:.*]] = kiln.fusion
// CHECK-NEXT: kiln.gather
// CHECK-NEXT: kiln.dequantize
// CHECK-NEXT: kiln.tanh
// CHECK-NEXT: kiln.yield
// CHECK: return %[[F]]
func.func @main(%t: tensor<4x34xui8>, %i: tensor<3xi64>) -> tensor<3x32xf32> {
  %0 = kiln.gather %t[%i] axis 0 : (tensor<4x34xui8>, tensor<3xi64>) -> tensor<3x34xui8>
  %1 = kiln.dequantize %0 as "Q8_0" : tensor<3x34xui8> -> tensor<3x32xf32>
  %2 = kiln.tanh %1 : tensor<3x32xf32>
  return %2 : tensor<3x32xf32>
}

// -----

// Refused: decoding in front of a broadcast, which reads each row four times, and of a concat along the row, which
// reads element by element.
// CHECK: func.func @main
// CHECK-NEXT: %[[A:.*]] = kiln.fusion
// CHECK-NEXT: kiln.dequantize
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion (%{{.*}} = %[[A]]
// CHECK: %[[B:.*]] = kiln.fusion
// CHECK-NEXT: kiln.dequantize
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion (%{{.*}} = %[[B]]
func.func @main(%t: tensor<1x34xui8>, %s: tensor<4x34xui8>, %x: tensor<4x32xf32>) -> (tensor<4x32xf32>, tensor<4x64xf32>) {
  %0 = kiln.dequantize %t as "Q8_0" : tensor<1x34xui8> -> tensor<1x32xf32>
  %1 = kiln.add %0, %x : (tensor<1x32xf32>, tensor<4x32xf32>) -> tensor<4x32xf32>
  %3 = kiln.dequantize %s as "Q8_0" : tensor<4x34xui8> -> tensor<4x32xf32>
  %4 = kiln.concat %3, %x axis 1 : (tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<4x64xf32>
  return %1, %4 : tensor<4x32xf32>, tensor<4x64xf32>
}
