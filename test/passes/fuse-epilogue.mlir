// RUN: kiln-opt %s --split-input-file --kiln-fuse-epilogue | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-epilogue --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// Activation, residual, layer_norm and what follows it; the residual is computed behind the linear.
// CHECK: func.func @main
// CHECK-NEXT: %[[R:[a-z0-9]+]] = kiln.neg
// CHECK-NEXT: %[[F:[a-z0-9]+]] = kiln.fusion
// CHECK: %[[Y:[a-z0-9]+]] = kiln.linear
// CHECK-NEXT: %[[G:[a-z0-9]+]] = kiln.relu %[[Y]]
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.add %{{.*}}, %[[G]]
// CHECK-NEXT: %[[N:[a-z0-9]+]] = kiln.layer_norm %[[S]]
// CHECK-NEXT: %[[T:[a-z0-9]+]] = kiln.mul %[[N]], %[[N]]
// CHECK-NEXT: yield %[[T]]
// CHECK: return %[[F]]
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>>, %w: tensor<3x2xf32>, %b: tensor<3xf32>, %r: !y) -> !y {
  %0 = kiln.linear %x, weights(%w) biases(%b) : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3x2xf32>, tensor<3xf32>) -> !y
  %1 = kiln.relu %0 : !y
  %2 = kiln.neg %r : !y
  %3 = kiln.add %2, %1 : !y
  %4 = kiln.layer_norm %3 epsilon 1.0e-05 : (!y) -> !y
  %5 = kiln.mul %4, %4 : !y
  return %5 : !y
}

// -----

// Values that something else needs are results of the kernel; one returned twice is one result.
// CHECK: func.func @main
// CHECK: %[[F:[a-z0-9]+]]:2 = kiln.fusion
// CHECK: %[[Y:[a-z0-9]+]] = kiln.linear
// CHECK: %[[S:[a-z0-9]+]] = kiln.add %[[Y]]
// CHECK: yield %[[Y]], %[[S]]
// CHECK: %[[T:[a-z0-9]+]] = kiln.permute %[[F]]#0
// CHECK: return %[[F]]#1, %[[T]], %[[F]]#1
func.func @main(%x: tensor<5x2xf32>, %w: tensor<5x2xf32>, %r: tensor<5x5xf32>) -> (tensor<5x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>) {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x5xf32>
  %1 = kiln.permute %0 [1, 0] : tensor<5x5xf32> -> tensor<5x5xf32>
  %2 = kiln.add %0, %r : tensor<5x5xf32>
  return %2, %1, %2 : tensor<5x5xf32>, tensor<5x5xf32>, tensor<5x5xf32>
}

// -----

// Two results of one linear together (gated units), a broadcast row and a number.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK: %[[Y:[a-z0-9]+]]:2 = kiln.linear
// CHECK-NEXT: %[[S:[a-z0-9]+]] = kiln.silu %[[Y]]#0
// CHECK-NEXT: %[[M:[a-z0-9]+]] = kiln.mul %[[S]], %[[Y]]#1
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.sub %[[M]], %{{.*}} : (tensor<5x3xf32>, tensor<3xf32>)
// CHECK-NEXT: %[[D:[a-z0-9]+]] = kiln.div %{{.*}}, %[[A]] : (tensor<f32>, tensor<5x3xf32>)
// CHECK-NEXT: yield %[[D]]
func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>, %v: tensor<3x2xf32>, %r: tensor<3xf32>, %n: tensor<f32>) -> tensor<5x3xf32> {
  %0:2 = kiln.linear %x, weights(%w, %v) : (tensor<5x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> (tensor<5x3xf32>, tensor<5x3xf32>)
  %1 = kiln.silu %0#0 : tensor<5x3xf32>
  %2 = kiln.mul %1, %0#1 : tensor<5x3xf32>
  %3 = kiln.sub %2, %r : (tensor<5x3xf32>, tensor<3xf32>) -> tensor<5x3xf32>
  %4 = kiln.div %n, %3 : (tensor<f32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %4 : tensor<5x3xf32>
}

// -----

// The sum of two products: the second one's is behind the first.
// CHECK: func.func @main
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.linear
// CHECK-NEXT: kiln.yield
// CHECK: kiln.fusion
// CHECK-NEXT: kiln.linear
// CHECK-NEXT: kiln.add
func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>, %v: tensor<3x3xf32>) -> tensor<5x3xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  %1 = kiln.linear %0, weights(%v) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %2 = kiln.add %0, %1 : tensor<5x3xf32>
  return %2 : tensor<5x3xf32>
}

// -----

// Behind a matmul and an attention.
// CHECK: func.func @main
// CHECK: kiln.matmul
// CHECK-NEXT: kiln.exp
// CHECK-NEXT: kiln.yield
// CHECK: kiln.attention
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.yield
func.func @main(%x: tensor<2x3x4xf32>, %y: tensor<2x4x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.matmul %x, %y : (tensor<2x3x4xf32>, tensor<2x4x4xf32>) -> tensor<2x3x4xf32>
  %1 = kiln.exp %0 : tensor<2x3x4xf32>
  %2 = kiln.attention %1, %x, %x scale 1.0 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %3 = kiln.neg %2 : tensor<2x3x4xf32>
  return %3 : tensor<2x3x4xf32>
}

// -----

// Refused: a layer_norm behind an attention, whose kernel does not hold whole rows of it.
// CHECK: func.func @main
// CHECK: kiln.attention
// CHECK-NEXT: kiln.yield
// CHECK: kiln.layer_norm
func.func @main(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.attention %x, %x, %x scale 1.0 : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %1 = kiln.layer_norm %0 epsilon 1.0e-05 : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// -----

// Refused: what follows has another shape (the result is broadcast), moves elements, or reduces.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-NEXT: kiln.yield
// CHECK: kiln.add
// CHECK: kiln.permute
// CHECK: kiln.sum
func.func @main(%x: tensor<1x2xf32>, %w: tensor<3x2xf32>, %r: tensor<5x3xf32>) -> (tensor<5x3xf32>, tensor<3x1xf32>, tensor<1x1xf32>) {
  %0 = kiln.linear %x, weights(%w) : (tensor<1x2xf32>, tensor<3x2xf32>) -> tensor<1x3xf32>
  %1 = kiln.add %0, %r : (tensor<1x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %2 = kiln.permute %0 [1, 0] : tensor<1x3xf32> -> tensor<3x1xf32>
  %3 = kiln.sum %0 axis 1 : (tensor<1x3xf32>) -> tensor<1x1xf32>
  return %1, %2, %3 : tensor<5x3xf32>, tensor<3x1xf32>, tensor<1x1xf32>
}

// -----

// Refused: an operand is computed from the product by something that is not in the kernel.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-NEXT: kiln.yield
// CHECK: kiln.permute
// CHECK: kiln.add
func.func @main(%x: tensor<5x2xf32>, %w: tensor<5x2xf32>) -> tensor<5x5xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x5xf32>
  %1 = kiln.permute %0 [1, 0] : tensor<5x5xf32> -> tensor<5x5xf32>
  %2 = kiln.add %0, %1 : tensor<5x5xf32>
  return %2 : tensor<5x5xf32>
}

// -----


// Refused: the weight is read as it is as well, but comes packed.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-NEXT: kiln.yield
// CHECK: kiln.add
func.func @main(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = kiln.add %0, %w : tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// Refused: no kernel reads its weight as x, too.
// CHECK: func.func @main
// CHECK-NOT: kiln.fusion
// CHECK: return
func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = kiln.linear %x, weights(%x) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// -----

// Refused: a second layer_norm; a layer_norm of one of several independent results.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-NEXT: kiln.layer_norm
// CHECK-NEXT: kiln.yield
// CHECK: kiln.layer_norm
// CHECK: kiln.linear
// CHECK-NEXT: kiln.yield
// CHECK: kiln.layer_norm
func.func @main(%x: tensor<5x2xf32>, %w: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>) {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  %1 = kiln.layer_norm %0 epsilon 1.0e-05 : (tensor<5x2xf32>) -> tensor<5x2xf32>
  %2 = kiln.layer_norm %1 epsilon 1.0e-05 : (tensor<5x2xf32>) -> tensor<5x2xf32>
  %3:2 = kiln.linear %2, weights(%w, %v) : (tensor<5x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>)
  %4 = kiln.layer_norm %3#0 epsilon 1.0e-05 : (tensor<5x2xf32>) -> tensor<5x2xf32>
  return %4, %3#1 : tensor<5x2xf32>, tensor<5x2xf32>
}

// -----

// Refused: what only a reduction or a softmax reads is left to it.
// CHECK: func.func @main
// CHECK: kiln.linear
// CHECK-NEXT: kiln.neg
// CHECK-NEXT: kiln.yield
// CHECK: kiln.mul
// CHECK: kiln.sum
func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>, %m: tensor<5x1xf32>) -> tensor<1x3xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  %1 = kiln.neg %0 : tensor<5x3xf32>
  %2 = kiln.mul %1, %m : (tensor<5x3xf32>, tensor<5x1xf32>) -> tensor<5x3xf32>
  %3 = kiln.sum %2 axis 0 : (tensor<5x3xf32>) -> tensor<1x3xf32>
  return %3 : tensor<1x3xf32>
}

// -----

// Refused: a linear without a kernel (weights of unknown size) stays as it is.
// CHECK: func.func @main
// CHECK-NOT: kiln.fusion
// CHECK: return
func.func @main(%x: tensor<5x2xf32>, %w: tensor<?x2xf32, #kiln.dims<n, 2>>) -> tensor<5x?xf32, #kiln.dims<5, n>> {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<?x2xf32, #kiln.dims<n, 2>>) -> tensor<5x?xf32, #kiln.dims<5, n>>
  %1 = kiln.neg %0 : tensor<5x?xf32, #kiln.dims<5, n>>
  return %1 : tensor<5x?xf32, #kiln.dims<5, n>>
}

// -----

// Refused: a kernel that is full; the rest of the chain stays.
// CHECK: func.func @main
// CHECK-COUNT-63: kiln.sin
// CHECK-NEXT: kiln.yield
// CHECK-COUNT-17: kiln.sin
// CHECK-NEXT: return
func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>) -> tensor<5x3xf32> {
  %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  %1 = kiln.sin %0 : tensor<5x3xf32>
  %2 = kiln.sin %1 : tensor<5x3xf32>
  %3 = kiln.sin %2 : tensor<5x3xf32>
  %4 = kiln.sin %3 : tensor<5x3xf32>
  %5 = kiln.sin %4 : tensor<5x3xf32>
  %6 = kiln.sin %5 : tensor<5x3xf32>
  %7 = kiln.sin %6 : tensor<5x3xf32>
  %8 = kiln.sin %7 : tensor<5x3xf32>
  %9 = kiln.sin %8 : tensor<5x3xf32>
  %10 = kiln.sin %9 : tensor<5x3xf32>
  %11 = kiln.sin %10 : tensor<5x3xf32>
  %12 = kiln.sin %11 : tensor<5x3xf32>
  %13 = kiln.sin %12 : tensor<5x3xf32>
  %14 = kiln.sin %13 : tensor<5x3xf32>
  %15 = kiln.sin %14 : tensor<5x3xf32>
  %16 = kiln.sin %15 : tensor<5x3xf32>
  %17 = kiln.sin %16 : tensor<5x3xf32>
  %18 = kiln.sin %17 : tensor<5x3xf32>
  %19 = kiln.sin %18 : tensor<5x3xf32>
  %20 = kiln.sin %19 : tensor<5x3xf32>
  %21 = kiln.sin %20 : tensor<5x3xf32>
  %22 = kiln.sin %21 : tensor<5x3xf32>
  %23 = kiln.sin %22 : tensor<5x3xf32>
  %24 = kiln.sin %23 : tensor<5x3xf32>
  %25 = kiln.sin %24 : tensor<5x3xf32>
  %26 = kiln.sin %25 : tensor<5x3xf32>
  %27 = kiln.sin %26 : tensor<5x3xf32>
  %28 = kiln.sin %27 : tensor<5x3xf32>
  %29 = kiln.sin %28 : tensor<5x3xf32>
  %30 = kiln.sin %29 : tensor<5x3xf32>
  %31 = kiln.sin %30 : tensor<5x3xf32>
  %32 = kiln.sin %31 : tensor<5x3xf32>
  %33 = kiln.sin %32 : tensor<5x3xf32>
  %34 = kiln.sin %33 : tensor<5x3xf32>
  %35 = kiln.sin %34 : tensor<5x3xf32>
  %36 = kiln.sin %35 : tensor<5x3xf32>
  %37 = kiln.sin %36 : tensor<5x3xf32>
  %38 = kiln.sin %37 : tensor<5x3xf32>
  %39 = kiln.sin %38 : tensor<5x3xf32>
  %40 = kiln.sin %39 : tensor<5x3xf32>
  %41 = kiln.sin %40 : tensor<5x3xf32>
  %42 = kiln.sin %41 : tensor<5x3xf32>
  %43 = kiln.sin %42 : tensor<5x3xf32>
  %44 = kiln.sin %43 : tensor<5x3xf32>
  %45 = kiln.sin %44 : tensor<5x3xf32>
  %46 = kiln.sin %45 : tensor<5x3xf32>
  %47 = kiln.sin %46 : tensor<5x3xf32>
  %48 = kiln.sin %47 : tensor<5x3xf32>
  %49 = kiln.sin %48 : tensor<5x3xf32>
  %50 = kiln.sin %49 : tensor<5x3xf32>
  %51 = kiln.sin %50 : tensor<5x3xf32>
  %52 = kiln.sin %51 : tensor<5x3xf32>
  %53 = kiln.sin %52 : tensor<5x3xf32>
  %54 = kiln.sin %53 : tensor<5x3xf32>
  %55 = kiln.sin %54 : tensor<5x3xf32>
  %56 = kiln.sin %55 : tensor<5x3xf32>
  %57 = kiln.sin %56 : tensor<5x3xf32>
  %58 = kiln.sin %57 : tensor<5x3xf32>
  %59 = kiln.sin %58 : tensor<5x3xf32>
  %60 = kiln.sin %59 : tensor<5x3xf32>
  %61 = kiln.sin %60 : tensor<5x3xf32>
  %62 = kiln.sin %61 : tensor<5x3xf32>
  %63 = kiln.sin %62 : tensor<5x3xf32>
  %64 = kiln.sin %63 : tensor<5x3xf32>
  %65 = kiln.sin %64 : tensor<5x3xf32>
  %66 = kiln.sin %65 : tensor<5x3xf32>
  %67 = kiln.sin %66 : tensor<5x3xf32>
  %68 = kiln.sin %67 : tensor<5x3xf32>
  %69 = kiln.sin %68 : tensor<5x3xf32>
  %70 = kiln.sin %69 : tensor<5x3xf32>
  %71 = kiln.sin %70 : tensor<5x3xf32>
  %72 = kiln.sin %71 : tensor<5x3xf32>
  %73 = kiln.sin %72 : tensor<5x3xf32>
  %74 = kiln.sin %73 : tensor<5x3xf32>
  %75 = kiln.sin %74 : tensor<5x3xf32>
  %76 = kiln.sin %75 : tensor<5x3xf32>
  %77 = kiln.sin %76 : tensor<5x3xf32>
  %78 = kiln.sin %77 : tensor<5x3xf32>
  %79 = kiln.sin %78 : tensor<5x3xf32>
  %80 = kiln.sin %79 : tensor<5x3xf32>
  return %80 : tensor<5x3xf32>
}
