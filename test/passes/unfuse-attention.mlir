// RUN: kiln-opt %s --split-input-file --kiln-unfuse-attention="most-depth=4 most-columns=4" | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-unfuse-attention="most-depth=4 most-columns=4" --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// Wide rows of q and k.
// CHECK: func.func @main(%[[Q:[a-z0-9]+]]: tensor<2x3x5xf32>, %[[K:[a-z0-9]+]]: tensor<2x7x5xf32>, %[[V:[a-z0-9]+]]: tensor<2x7x4xf32>)
// CHECK-DAG: %[[SCALE:.*]] = kiln.constant dense<5.000000e-01>
// CHECK-DAG: %[[KT:.*]] = kiln.permute %[[K]] [0, 2, 1]
// CHECK: %[[P:.*]] = kiln.matmul %[[Q]], %[[KT]]
// CHECK: %[[S:.*]] = kiln.mul %[[P]], %[[SCALE]]
// CHECK: %[[W:.*]] = kiln.softmax %[[S]] axis 2
// CHECK: %[[R:.*]] = kiln.matmul %[[W]], %[[V]]
// CHECK: return %[[R]]
func.func @main(%q: tensor<2x3x5xf32>, %k: tensor<2x7x5xf32>, %v: tensor<2x7x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.attention %q, %k, %v scale 0.5 : (tensor<2x3x5xf32>, tensor<2x7x5xf32>, tensor<2x7x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// -----

// Wide rows of v, heads last, shared heads, a boolean mask; bfloat16 is rounded once, at the end.
// CHECK: func.func @main(
// CHECK-NOT: kiln.attention
// CHECK: kiln.select
// CHECK: %[[LARGEST:.*]] = kiln.max %{{.*}} axis 3 : (tensor<1x2x6x7xf32>) -> tensor<1x2x6x1xf32>
// CHECK: kiln.eq %[[LARGEST]]
// CHECK: kiln.softmax
// CHECK: kiln.cast %{{.*}} to bf16 : tensor<1x3x4x5xf32>
func.func @main(%q: tensor<1x3x4x2xbf16>, %k: tensor<1x7x2x2xbf16>, %v: tensor<1x7x2x5xbf16>, %m: tensor<4x3x7xi1>) -> tensor<1x3x4x5xbf16> {
  %0 = kiln.attention %q, %k, %v mask %m scale 0.25 layout "bshd" : (tensor<1x3x4x2xbf16>, tensor<1x7x2x2xbf16>, tensor<1x7x2x5xbf16>, tensor<4x3x7xi1>) -> tensor<1x3x4x5xbf16>
  return %0 : tensor<1x3x4x5xbf16>
}

// -----

// A symbolic width, a mask that is added.
// CHECK: func.func @main(
// CHECK-NOT: kiln.attention
// CHECK: kiln.matmul
// CHECK: kiln.add
// CHECK: kiln.softmax
func.func @main(%q: tensor<2x3x?xf32, #kiln.dims<2, 3, d>>, %k: tensor<2x3x?xf32, #kiln.dims<2, 3, d>>, %v: tensor<2x3x2xf32>, %m: tensor<3x3xf32>) -> tensor<2x3x2xf32> {
  %0 = kiln.attention %q, %k, %v mask %m scale 0.5 : (tensor<2x3x?xf32, #kiln.dims<2, 3, d>>, tensor<2x3x?xf32, #kiln.dims<2, 3, d>>, tensor<2x3x2xf32>, tensor<3x3xf32>) -> tensor<2x3x2xf32>
  return %0 : tensor<2x3x2xf32>
}

// -----

// What a kernel holds stays.
// CHECK: func.func @main(
// CHECK-NEXT: kiln.attention
// CHECK-NEXT: return
func.func @main(%q: tensor<2x3x4xf32>, %k: tensor<2x7x4xf32>, %v: tensor<2x7x4xf32>) -> tensor<2x3x4xf32> {
  %0 = kiln.attention %q, %k, %v scale 0.5 : (tensor<2x3x4xf32>, tensor<2x7x4xf32>, tensor<2x7x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}
