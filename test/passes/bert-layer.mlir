// Two layers of a small BERT, as tools/common/minilm traces it: what becomes of each layer, and that
// both share their kernels.
// RUN: kiln-opt %s --kiln-cpu-pipeline --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s
// RUN: kiln-opt %s --kiln-cpu-pipeline --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s --check-prefix=KERNELS
// RUN: kiln-opt %s --kiln-interpret -o /dev/null > %t.before
// RUN: kiln-opt %s --canonicalize --cse --kiln-fuse-attention --kiln-fuse-linear --kiln-fuse-siblings \
// RUN:   --kiln-fuse-epilogue --kiln-fuse-gather --kiln-fuse-elementwise --kiln-outline \
// RUN:   --kiln-interpret -o /dev/null > %t.after
// RUN: python3 %S/Inputs/close.py %t.before %t.after

// CHECK: after phase "outline"
// CHECK: func.func @main
// The embeddings and their layer_norm.
// CHECK-NEXT: %[[X:[a-z0-9]+]] = kiln.launch @[[EMBED:.*gather_gather_add_add_layer_norm]](
// q, k and v
// CHECK-NEXT: %[[QKV:[a-z0-9]+]]:3 = kiln.launch @[[LINEAR:linear]](%[[X]],
// CHECK-NEXT: %[[Q:[a-z0-9]+]] = kiln.reshape %[[QKV]]#0
// CHECK-NEXT: %[[K:[a-z0-9]+]] = kiln.reshape %[[QKV]]#1
// CHECK-NEXT: %[[V:[a-z0-9]+]] = kiln.reshape %[[QKV]]#2
// The mask, for both layers.
// CHECK-NEXT: kiln.launch @gt(
// CHECK-NEXT: %[[MASK:[a-z0-9]+]] = kiln.reshape
// CHECK-NEXT: %[[A:[a-z0-9]+]] = kiln.launch @[[ATTENTION:attention]](%[[Q]], %[[K]], %[[V]], %[[MASK]])
// CHECK-NEXT: %[[FLAT:[a-z0-9]+]] = kiln.reshape %[[A]]
// CHECK-NEXT: %[[X1:[a-z0-9]+]] = kiln.launch @[[OUT:linear_add_layer_norm]](%[[FLAT]], {{.*}}%[[X]],
// CHECK-NEXT: %[[UP:[a-z0-9]+]] = kiln.launch @[[GELU:linear_gelu]](%[[X1]],
// CHECK-NEXT: %[[X2:[a-z0-9]+]] = kiln.launch @[[DOWN:linear_add_layer_norm_1]](%[[UP]], {{.*}}%[[X1]],
// The second layer, by the same kernels.
// CHECK-NEXT: %[[QKV2:[a-z0-9]+]]:3 = kiln.launch @[[LINEAR]](%[[X2]],
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.launch @[[ATTENTION]]({{.*}}, %[[MASK]])
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: %[[X3:[a-z0-9]+]] = kiln.launch @[[OUT]]({{.*}}%[[X2]],
// CHECK-NEXT: kiln.launch @[[GELU]](%[[X3]],
// CHECK-NEXT: %[[X4:[a-z0-9]+]] = kiln.launch @[[DOWN]]({{.*}}%[[X3]],
// The mean over the tokens that the mask lets through, and its length.
// CHECK-NEXT: kiln.launch @cast(
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.launch @sum(
// CHECK-NEXT: kiln.launch @mul_sum_div({{.*}}%[[X4]],
// CHECK-NEXT: kiln.reshape
// CHECK-NEXT: kiln.launch @mul_sum_sqrt_maximum(
// CHECK-NEXT: kiln.launch @div(
// CHECK-NEXT: return
// CHECK-NOT: kiln.permute

// KERNELS: after phase "outline"
// KERNELS: func.func @main
// KERNELS-COUNT-12: func.func private
// KERNELS-NOT: func.func private
// KERNELS: after phase "lower"

!ids = tensor<?x?xi64, #kiln.dims<batch, seq>>
!x = tensor<?x?x32xf32, #kiln.dims<batch, seq, 32>>
!wide = tensor<?x?x128xf32, #kiln.dims<batch, seq, 128>>
!split = tensor<?x?x4x8xf32, #kiln.dims<batch, seq, 4, 8>>
!heads = tensor<?x4x?x8xf32, #kiln.dims<batch, 4, seq, 8>>
!mask = tensor<?x1x1x?xi1, #kiln.dims<batch, 1, 1, seq>>
!w = tensor<32x32xf32>
!b = tensor<32xf32>
!up = tensor<128x32xf32>
!down = tensor<32x128xf32>
func.func @main(%arg0: !ids,
    %arg1: !ids,
    %arg2: tensor<100x32xf32> {kiln.name = "embeddings.word_embeddings.weight", kiln.role = "weight"},
    %arg3: tensor<64x32xf32> {kiln.name = "embeddings.position_embeddings.weight", kiln.role = "weight"},
    %arg4: tensor<2x32xf32> {kiln.name = "embeddings.token_type_embeddings.weight", kiln.role = "weight"},
    %arg5: !b {kiln.name = "embeddings.LayerNorm.weight", kiln.role = "weight"},
    %arg6: !b {kiln.name = "embeddings.LayerNorm.bias", kiln.role = "weight"},
    %arg7: !w {kiln.name = "0.attention.self.query.weight", kiln.role = "weight"},
    %arg8: !b {kiln.name = "0.attention.self.query.bias", kiln.role = "weight"},
    %arg9: !w {kiln.name = "0.attention.self.key.weight", kiln.role = "weight"},
    %arg10: !b {kiln.name = "0.attention.self.key.bias", kiln.role = "weight"},
    %arg11: !w {kiln.name = "0.attention.self.value.weight", kiln.role = "weight"},
    %arg12: !b {kiln.name = "0.attention.self.value.bias", kiln.role = "weight"},
    %arg13: !w {kiln.name = "0.attention.output.dense.weight", kiln.role = "weight"},
    %arg14: !b {kiln.name = "0.attention.output.dense.bias", kiln.role = "weight"},
    %arg15: !b {kiln.name = "0.attention.output.LayerNorm.weight", kiln.role = "weight"},
    %arg16: !b {kiln.name = "0.attention.output.LayerNorm.bias", kiln.role = "weight"},
    %arg17: !up {kiln.name = "0.intermediate.dense.weight", kiln.role = "weight"},
    %arg18: tensor<128xf32> {kiln.name = "0.intermediate.dense.bias", kiln.role = "weight"},
    %arg19: !down {kiln.name = "0.output.dense.weight", kiln.role = "weight"},
    %arg20: !b {kiln.name = "0.output.dense.bias", kiln.role = "weight"},
    %arg21: !b {kiln.name = "0.output.LayerNorm.weight", kiln.role = "weight"},
    %arg22: !b {kiln.name = "0.output.LayerNorm.bias", kiln.role = "weight"},
    %arg23: !w {kiln.name = "1.attention.self.query.weight", kiln.role = "weight"},
    %arg24: !b {kiln.name = "1.attention.self.query.bias", kiln.role = "weight"},
    %arg25: !w {kiln.name = "1.attention.self.key.weight", kiln.role = "weight"},
    %arg26: !b {kiln.name = "1.attention.self.key.bias", kiln.role = "weight"},
    %arg27: !w {kiln.name = "1.attention.self.value.weight", kiln.role = "weight"},
    %arg28: !b {kiln.name = "1.attention.self.value.bias", kiln.role = "weight"},
    %arg29: !w {kiln.name = "1.attention.output.dense.weight", kiln.role = "weight"},
    %arg30: !b {kiln.name = "1.attention.output.dense.bias", kiln.role = "weight"},
    %arg31: !b {kiln.name = "1.attention.output.LayerNorm.weight", kiln.role = "weight"},
    %arg32: !b {kiln.name = "1.attention.output.LayerNorm.bias", kiln.role = "weight"},
    %arg33: !up {kiln.name = "1.intermediate.dense.weight", kiln.role = "weight"},
    %arg34: tensor<128xf32> {kiln.name = "1.intermediate.dense.bias", kiln.role = "weight"},
    %arg35: !down {kiln.name = "1.output.dense.weight", kiln.role = "weight"},
    %arg36: !b {kiln.name = "1.output.dense.bias", kiln.role = "weight"},
    %arg37: !b {kiln.name = "1.output.LayerNorm.weight", kiln.role = "weight"},
    %arg38: !b {kiln.name = "1.output.LayerNorm.bias", kiln.role = "weight"}) -> tensor<?x32xf32, #kiln.dims<batch, 32>> {
  %0 = kiln.gather %arg2[%arg0] axis 0 : (tensor<100x32xf32>, !ids) -> !x
  %1 = kiln.iota <seq> from 0 : i64 step 1 : i64 of i64 : tensor<?xi64, #kiln.dims<seq>>
  %2 = kiln.gather %arg3[%1] axis 0 : (tensor<64x32xf32>, tensor<?xi64, #kiln.dims<seq>>) -> tensor<?x32xf32, #kiln.dims<seq, 32>>
  %3 = kiln.add %0, %2 : (!x, tensor<?x32xf32, #kiln.dims<seq, 32>>) -> !x
  %4 = kiln.slice %arg4 from <0, 0> to <1, 32> step [1, 1] : tensor<2x32xf32> -> tensor<1x32xf32>
  %5 = kiln.reshape %4 to <32> : tensor<1x32xf32> -> !b
  %6 = kiln.add %3, %5 : (!x, !b) -> !x
  %7 = kiln.layer_norm %6, %arg5, %arg6 epsilon 9.9999999999999998E-13 : (!x, !b, !b) -> !x
  %8 = kiln.permute %arg7 [1, 0] : !w -> !w
  %9 = kiln.matmul %7, %8 : (!x, !w) -> !x
  %10 = kiln.add %9, %arg8 : (!x, !b) -> !x
  %11 = kiln.reshape %10 to <batch, seq, 4, 8> : !x -> !split
  %12 = kiln.permute %11 [0, 2, 1, 3] : !split -> !heads
  %13 = kiln.permute %arg9 [1, 0] : !w -> !w
  %14 = kiln.matmul %7, %13 : (!x, !w) -> !x
  %15 = kiln.add %14, %arg10 : (!x, !b) -> !x
  %16 = kiln.reshape %15 to <batch, seq, 4, 8> : !x -> !split
  %17 = kiln.permute %16 [0, 2, 1, 3] : !split -> !heads
  %18 = kiln.permute %arg11 [1, 0] : !w -> !w
  %19 = kiln.matmul %7, %18 : (!x, !w) -> !x
  %20 = kiln.add %19, %arg12 : (!x, !b) -> !x
  %21 = kiln.reshape %20 to <batch, seq, 4, 8> : !x -> !split
  %22 = kiln.permute %21 [0, 2, 1, 3] : !split -> !heads
  %23 = kiln.constant dense<0> : tensor<i64>
  %24 = kiln.gt %arg1, %23 : (!ids, tensor<i64>) -> tensor<?x?xi1, #kiln.dims<batch, seq>>
  %25 = kiln.reshape %24 to <batch, 1, seq> : tensor<?x?xi1, #kiln.dims<batch, seq>> -> tensor<?x1x?xi1, #kiln.dims<batch, 1, seq>>
  %26 = kiln.reshape %25 to <batch, 1, 1, seq> : tensor<?x1x?xi1, #kiln.dims<batch, 1, seq>> -> !mask
  %27 = kiln.attention %12, %17, %22 mask %26 scale 0.35355339059327373 : (!heads, !heads, !heads, !mask) -> !heads
  %28 = kiln.permute %27 [0, 2, 1, 3] : !heads -> !split
  %29 = kiln.reshape %28 to <batch, seq, 32> : !split -> !x
  %30 = kiln.permute %arg13 [1, 0] : !w -> !w
  %31 = kiln.matmul %29, %30 : (!x, !w) -> !x
  %32 = kiln.add %31, %arg14 : (!x, !b) -> !x
  %33 = kiln.add %32, %7 : !x
  %34 = kiln.layer_norm %33, %arg15, %arg16 epsilon 9.9999999999999998E-13 : (!x, !b, !b) -> !x
  %35 = kiln.permute %arg17 [1, 0] : !up -> !down
  %36 = kiln.matmul %34, %35 : (!x, !down) -> !wide
  %37 = kiln.add %36, %arg18 : (!wide, tensor<128xf32>) -> !wide
  %38 = kiln.gelu %37 : !wide
  %39 = kiln.permute %arg19 [1, 0] : !down -> !up
  %40 = kiln.matmul %38, %39 : (!wide, !up) -> !x
  %41 = kiln.add %40, %arg20 : (!x, !b) -> !x
  %42 = kiln.add %41, %34 : !x
  %43 = kiln.layer_norm %42, %arg21, %arg22 epsilon 9.9999999999999998E-13 : (!x, !b, !b) -> !x
  %44 = kiln.permute %arg23 [1, 0] : !w -> !w
  %45 = kiln.matmul %43, %44 : (!x, !w) -> !x
  %46 = kiln.add %45, %arg24 : (!x, !b) -> !x
  %47 = kiln.reshape %46 to <batch, seq, 4, 8> : !x -> !split
  %48 = kiln.permute %47 [0, 2, 1, 3] : !split -> !heads
  %49 = kiln.permute %arg25 [1, 0] : !w -> !w
  %50 = kiln.matmul %43, %49 : (!x, !w) -> !x
  %51 = kiln.add %50, %arg26 : (!x, !b) -> !x
  %52 = kiln.reshape %51 to <batch, seq, 4, 8> : !x -> !split
  %53 = kiln.permute %52 [0, 2, 1, 3] : !split -> !heads
  %54 = kiln.permute %arg27 [1, 0] : !w -> !w
  %55 = kiln.matmul %43, %54 : (!x, !w) -> !x
  %56 = kiln.add %55, %arg28 : (!x, !b) -> !x
  %57 = kiln.reshape %56 to <batch, seq, 4, 8> : !x -> !split
  %58 = kiln.permute %57 [0, 2, 1, 3] : !split -> !heads
  %59 = kiln.attention %48, %53, %58 mask %26 scale 0.35355339059327373 : (!heads, !heads, !heads, !mask) -> !heads
  %60 = kiln.permute %59 [0, 2, 1, 3] : !heads -> !split
  %61 = kiln.reshape %60 to <batch, seq, 32> : !split -> !x
  %62 = kiln.permute %arg29 [1, 0] : !w -> !w
  %63 = kiln.matmul %61, %62 : (!x, !w) -> !x
  %64 = kiln.add %63, %arg30 : (!x, !b) -> !x
  %65 = kiln.add %64, %43 : !x
  %66 = kiln.layer_norm %65, %arg31, %arg32 epsilon 9.9999999999999998E-13 : (!x, !b, !b) -> !x
  %67 = kiln.permute %arg33 [1, 0] : !up -> !down
  %68 = kiln.matmul %66, %67 : (!x, !down) -> !wide
  %69 = kiln.add %68, %arg34 : (!wide, tensor<128xf32>) -> !wide
  %70 = kiln.gelu %69 : !wide
  %71 = kiln.permute %arg35 [1, 0] : !down -> !up
  %72 = kiln.matmul %70, %71 : (!wide, !up) -> !x
  %73 = kiln.add %72, %arg36 : (!x, !b) -> !x
  %74 = kiln.add %73, %66 : !x
  %75 = kiln.layer_norm %74, %arg37, %arg38 epsilon 9.9999999999999998E-13 : (!x, !b, !b) -> !x
  %76 = kiln.cast %arg1 to f32 : !ids -> tensor<?x?xf32, #kiln.dims<batch, seq>>
  %77 = kiln.reshape %76 to <batch, seq, 1> : tensor<?x?xf32, #kiln.dims<batch, seq>> -> tensor<?x?x1xf32, #kiln.dims<batch, seq, 1>>
  %78 = kiln.mul %75, %77 : (!x, tensor<?x?x1xf32, #kiln.dims<batch, seq, 1>>) -> !x
  %79 = kiln.sum %78 axis 1 : (!x) -> tensor<?x1x32xf32, #kiln.dims<batch, 1, 32>>
  %80 = kiln.sum %77 axis 1 : (tensor<?x?x1xf32, #kiln.dims<batch, seq, 1>>) -> tensor<?x1x1xf32, #kiln.dims<batch, 1, 1>>
  %81 = kiln.div %79, %80 : (tensor<?x1x32xf32, #kiln.dims<batch, 1, 32>>, tensor<?x1x1xf32, #kiln.dims<batch, 1, 1>>) -> tensor<?x1x32xf32, #kiln.dims<batch, 1, 32>>
  %82 = kiln.reshape %81 to <batch, 32> : tensor<?x1x32xf32, #kiln.dims<batch, 1, 32>> -> tensor<?x32xf32, #kiln.dims<batch, 32>>
  %83 = kiln.mul %82, %82 : tensor<?x32xf32, #kiln.dims<batch, 32>>
  %84 = kiln.sum %83 axis 1 : (tensor<?x32xf32, #kiln.dims<batch, 32>>) -> tensor<?x1xf32, #kiln.dims<batch, 1>>
  %85 = kiln.sqrt %84 : tensor<?x1xf32, #kiln.dims<batch, 1>>
  %86 = kiln.constant dense<9.99999996E-13> : tensor<f32>
  %87 = kiln.maximum %85, %86 : (tensor<?x1xf32, #kiln.dims<batch, 1>>, tensor<f32>) -> tensor<?x1xf32, #kiln.dims<batch, 1>>
  %88 = kiln.div %82, %87 : (tensor<?x32xf32, #kiln.dims<batch, 32>>, tensor<?x1xf32, #kiln.dims<batch, 1>>) -> tensor<?x32xf32, #kiln.dims<batch, 32>>
  return %88 : tensor<?x32xf32, #kiln.dims<batch, 32>>
}
