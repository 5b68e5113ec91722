// RUN: kiln-opt %s --split-input-file --kiln-inline-subgraphs | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-inline-subgraphs=once=true | FileCheck %s --check-prefix=ONCE

// Each call gets operands of its own; results that the function only passes on are the caller's.
// CHECK-LABEL: module
// CHECK-NOT: @subgraph_0
// CHECK: func.func @main(%[[X:.*]]: tensor<4xf32>, %[[A:.*]]: tensor<4xf32> {{.*}}, %[[B:.*]]: tensor<4xf32>
// CHECK-NEXT: %[[P:.*]] = kiln.mul %[[X]], %[[A]]
// CHECK-NEXT: %[[Q:.*]] = kiln.mul %[[P]], %[[B]]
// CHECK-NEXT: return %[[Q]], %[[A]]
// ONCE-LABEL: module
// ONCE: func.func private @subgraph_0
// ONCE-COUNT-2: call @subgraph_0
module {
  func.func private @subgraph_0(%x: tensor<4xf32>, %w: tensor<4xf32> {kiln.role = "weight"})
      -> (tensor<4xf32>, tensor<4xf32>) {
    %0 = kiln.mul %x, %w : tensor<4xf32>
    return %0, %w : tensor<4xf32>, tensor<4xf32>
  }
  func.func @main(%x: tensor<4xf32>, %a: tensor<4xf32> {kiln.role = "weight"},
                  %b: tensor<4xf32> {kiln.role = "weight"}) -> (tensor<4xf32>, tensor<4xf32>) {
    %0:2 = call @subgraph_0(%x, %a) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    %1:2 = call @subgraph_0(%0#0, %b) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
    return %1#0, %0#1 : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// A subgraph of one call goes in either case.
// CHECK-LABEL: module
// CHECK-NOT: call
// ONCE-LABEL: module
// ONCE-NOT: @subgraph_0
// ONCE: kiln.gelu
module {
  func.func private @subgraph_0(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = kiln.gelu %x : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = call @subgraph_0(%x) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}

// -----

// Functions without a body, kernels and modules without @main are left alone.
// CHECK-LABEL: module
// CHECK: func.func private @elsewhere
// CHECK: call @elsewhere
module {
  func.func private @elsewhere(tensor<4xf32>) -> tensor<4xf32>
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = call @elsewhere(%x) : (tensor<4xf32>) -> tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}
