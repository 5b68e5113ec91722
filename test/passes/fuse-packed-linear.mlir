// Products with weights that stay packed: the linear reads them through a dequantize of its own.
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-fuse-siblings --kiln-fuse-epilogue --kiln-outline | FileCheck %s --check-prefix=KERNEL
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-outline | FileCheck %s --check-prefix=LONE
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --split-input-file --kiln-fuse-linear --kiln-fuse-siblings --kiln-fuse-epilogue --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// With a bias and an activation; the fusions behind it switched off too, nothing decoded is stored.
// CHECK: func.func @main(%[[X:[a-z0-9]+]]: tensor<?x64xf32, #kiln.dims<n, 64>>, %[[W:[a-z0-9]+]]: tensor<3x68xui8> {{.*}}, %[[B:[a-z0-9]+]]: tensor<3xf32>)
// CHECK-NEXT: %[[D:[a-z0-9]+]] = kiln.dequantize %[[W]] as "Q8_0"
// CHECK-NEXT: %[[Y:[a-z0-9]+]] = kiln.linear %[[X]], weights(%[[D]]) biases(%[[B]])
// CHECK-NEXT: kiln.relu %[[Y]]
// KERNEL: func.func @main
// KERNEL-NEXT: kiln.launch @dequantize_linear_relu(
// KERNEL-NEXT: return
// KERNEL: @dequantize_linear_relu(%{{.*}}: tensor<?x64xf32, {{.*}}>, %{{.*}}: tensor<3xf32>, %[[P:[a-z0-9]+]]: tensor<3x68xui8>)
// KERNEL-NEXT: kiln.dequantize %[[P]] as "Q8_0"
// LONE: func.func @main
// LONE-NEXT: kiln.launch @dequantize_linear(
// LONE-NEXT: kiln.launch @relu(
// LONE-NEXT: return
!x = tensor<?x64xf32, #kiln.dims<n, 64>>
!y = tensor<?x3xf32, #kiln.dims<n, 3>>
func.func @main(%x: !x, %w: tensor<3x68xui8> {kiln.role = "weight"}, %b: tensor<3xf32>) -> !y {
  %d = kiln.dequantize %w as "Q8_0" : tensor<3x68xui8> -> tensor<3x64xf32>
  %t = kiln.permute %d [1, 0] : tensor<3x64xf32> -> tensor<64x3xf32>
  %0 = kiln.matmul %x, %t : (!x, tensor<64x3xf32>) -> !y
  %1 = kiln.add %0, %b : (!y, tensor<3xf32>) -> !y
  %2 = kiln.relu %1 : !y
  return %2 : !y
}

// -----

// Siblings of other encodings; one packed weight may serve two products, and what else reads it
// decoded reads a copy.
// CHECK: func.func @main
// CHECK-COUNT-3: kiln.dequantize
// CHECK: kiln.dequantize %{{.*}} as "Q4_0"
// CHECK-COUNT-3: kiln.linear
// KERNEL: func.func @main
// KERNEL: kiln.launch @dequantize_dequantize_dequantize_linear(
// KERNEL: func.func private
// KERNEL: kiln.linear %{{.*}}, weights(%{{.*}}, %{{.*}}, %{{.*}})
// LONE: func.func @main
// LONE-COUNT-3: kiln.launch @dequantize_linear
func.func @main(%x: tensor<2x32xf32>, %w: tensor<3x18xui8> {kiln.role = "weight"},
                %v: tensor<3x34xui8> {kiln.role = "weight"})
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<3x1xf32>) {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  %t = kiln.permute %d [1, 0] : tensor<3x32xf32> -> tensor<32x3xf32>
  %e = kiln.dequantize %v as "Q8_0" : tensor<3x34xui8> -> tensor<3x32xf32>
  %u = kiln.permute %e [1, 0] : tensor<3x32xf32> -> tensor<32x3xf32>
  %0 = kiln.matmul %x, %t : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  %1 = kiln.matmul %x, %u : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  %2 = kiln.matmul %x, %t : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  %3 = kiln.max %d axis 1 : (tensor<3x32xf32>) -> tensor<3x1xf32>
  return %0, %1, %2, %3 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<3x1xf32>
}

// -----

// Refused by the siblings: "one weight stays packed, the other does not".
// CHECK: func.func @main
// KERNEL: func.func @main
// KERNEL-COUNT-2: kiln.launch
// LONE: func.func @main
func.func @main(%x: tensor<2x32xf32>, %w: tensor<3x18xui8> {kiln.role = "weight"},
                %v: tensor<3x32xf32> {kiln.role = "weight"}) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  %t = kiln.permute %d [1, 0] : tensor<3x32xf32> -> tensor<32x3xf32>
  %u = kiln.permute %v [1, 0] : tensor<3x32xf32> -> tensor<32x3xf32>
  %0 = kiln.matmul %x, %t : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  %1 = kiln.matmul %x, %u : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// Refused: "blocks of y lie along N".
// CHECK: func.func @main
// CHECK: kiln.matmul
// KERNEL: func.func @main
// LONE: func.func @main
func.func @main(%x: tensor<2x3xf32>, %w: tensor<3x18xui8> {kiln.role = "weight"}) -> tensor<2x32xf32> {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  %0 = kiln.matmul %x, %d : (tensor<2x3xf32>, tensor<3x32xf32>) -> tensor<2x32xf32>
  return %0 : tensor<2x32xf32>
}

// -----

// Refused: "y is decoded from what is not a weight"; "y has symbolic dims".
// CHECK: func.func @main
// CHECK-COUNT-2: kiln.matmul
// KERNEL: func.func @main
// LONE: func.func @main
!w = tensor<?x18xui8, #kiln.dims<n, 18>>
!d = tensor<?x32xf32, #kiln.dims<n, 32>>
!t = tensor<32x?xf32, #kiln.dims<32, n>>
!y = tensor<2x?xf32, #kiln.dims<2, n>>
func.func @main(%x: tensor<2x32xf32>, %w: tensor<3x18xui8>, %v: !w {kiln.role = "weight"}) -> (tensor<2x3xf32>, !y) {
  %d = kiln.dequantize %w as "Q4_0" : tensor<3x18xui8> -> tensor<3x32xf32>
  %t = kiln.permute %d [1, 0] : tensor<3x32xf32> -> tensor<32x3xf32>
  %0 = kiln.matmul %x, %t : (tensor<2x32xf32>, tensor<32x3xf32>) -> tensor<2x3xf32>
  %e = kiln.dequantize %v as "Q4_0" : !w -> !d
  %u = kiln.permute %e [1, 0] : !d -> !t
  %1 = kiln.matmul %x, %u : (tensor<2x32xf32>, !t) -> !y
  return %0, %1 : tensor<2x3xf32>, !y
}

// -----

// Refused: "y has batch dims".
// CHECK: func.func @main
// CHECK: kiln.matmul
// KERNEL: func.func @main
// LONE: func.func @main
func.func @main(%x: tensor<2x2x32xf32>, %w: tensor<32x3x18xui8> {kiln.role = "weight"}) -> tensor<32x2x2x3xf32> {
  %d = kiln.dequantize %w as "Q4_0" : tensor<32x3x18xui8> -> tensor<32x3x32xf32>
  %t = kiln.permute %d [0, 2, 1] : tensor<32x3x32xf32> -> tensor<32x32x3xf32>
  %r = kiln.reshape %t to <32, 1, 32, 3> : tensor<32x32x3xf32> -> tensor<32x1x32x3xf32>
  %0 = kiln.matmul %x, %r : (tensor<2x2x32xf32>, tensor<32x1x32x3xf32>) -> tensor<32x2x2x3xf32>
  return %0 : tensor<32x2x2x3xf32>
}
