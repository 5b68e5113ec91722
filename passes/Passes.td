#ifndef KILN_PASSES_TD
#define KILN_PASSES_TD

include "mlir/Pass/PassBase.td"

// The order is stated in Pipelines.cpp alone. Every example is a test: test/passes/examples.test
// runs the pass on the first block and compares what it makes of it with the second.

def PartitionPass : Pass<"kiln-partition", "::mlir::ModuleOp"> {
  let summary = "a program for one device to the one that each of several ranks runs";
  let description = [{
    Of a module with `kiln.ranks = n` each weight with `kiln.shard = axis` becomes the part that a
    rank holds: ceil(size / n) entries along the axis, the last parts filled up with zeros, so that
    all ranks run one program. `kiln.whole` then says the size of the whole. What is made of parts
    is, as long as that goes, made in parts: a value is whole on each rank, split along an axis, or
    a partial sum.

    - A gather from rows of a table gives those that the rank has and zeros for others: a partial
      sum of which one rank has all of each row, so that it is exact. A product that makes rows
      smaller is taken before the sum, and so is an addition of rows of two tables.
    - A product with columns of a weight gives columns, one with rows of it, of columns, a partial
      sum: the two products of a feed-forward layer and what is between them need one all_reduce.
      So do heads of an attention.
    - Elementwise operations, views and operations along other axes keep what is split; what they
      take beside it is cut.
    - Everything else, and the function's results, takes the whole: an all_reduce, or an all_gather.

    Refused: a weight of symbolic size along its axis; rows of a product's weight that are no
    multiple of the ranks.

    Example:

    ```mlir
    !i = tensor<?xi64, #kiln.dims<n>>
    !x = tensor<?x2xf32, #kiln.dims<n, 2>>
    !y = tensor<?x4xf32, #kiln.dims<n, 4>>
    module attributes {kiln.ranks = 2 : i64} {
      func.func @main(%i: !i, %table: tensor<9x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64},
                      %w: tensor<2x4xf32> {kiln.role = "weight", kiln.shard = 1 : i64},
                      %b: tensor<4xf32> {kiln.role = "weight"}) -> !y {
        %0 = kiln.gather %table[%i] axis 0 : (tensor<9x2xf32>, !i) -> !x
        %1 = kiln.matmul %0, %w : (!x, tensor<2x4xf32>) -> !y
        %2 = kiln.add %1, %b : (!y, tensor<4xf32>) -> !y
        return %2 : !y
      }
    }
    ```

    becomes

    ```mlir
    !i = tensor<?xi64, #kiln.dims<n>>
    !x = tensor<?x2xf32, #kiln.dims<n, 2>>
    !y = tensor<?x4xf32, #kiln.dims<n, 4>>
    module attributes {kiln.ranks = 2 : i64} {
      func.func @main(%i: !i,
                      %table: tensor<5x2xf32> {kiln.role = "weight", kiln.shard = 0 : i64, kiln.whole = 9 : i64},
                      %w: tensor<2x2xf32> {kiln.role = "weight", kiln.shard = 1 : i64, kiln.whole = 4 : i64},
                      %b: tensor<4xf32> {kiln.role = "weight"}) -> !y {
        %part = kiln.local_slice %b axis 0 ranks 2 : tensor<4xf32> -> tensor<2xf32>
        %0 = kiln.gather %table[%i] axis 0 total 9 : (tensor<5x2xf32>, !i) -> !x
        %rows = kiln.all_reduce %0 "sum" : !x
        %1 = kiln.matmul %rows, %w : (!x, tensor<2x2xf32>) -> !x
        %2 = kiln.add %1, %part : (!x, tensor<2xf32>) -> !x
        %whole = kiln.all_gather %2 axis 1 ranks 2 : !x -> !y
        return %whole : !y
      }
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseAttentionPass : Pass<"kiln-fuse-attention", "::mlir::ModuleOp"> {
  let summary = "scores, softmax and weighted sum to one attention; permutes of heads into it";
  let description = [{
    `matmul(softmax(matmul(q, permute(k)) * scale + mask), v)` becomes `kiln.attention`, whose kernel
    never stores the scores. Where q, k and v are permuted from [..., S, H, D] to [..., H, S, D] just
    for it, it reads them as they lie (`layout bshd`). A query that the mask lets attend to nothing
    keeps the NaN that the softmax gives.

    Example:

    ```mlir
    !h = tensor<?x4x8x16xf32, #kiln.dims<b, 4, 8, 16>>
    !s = tensor<?x4x8x8xf32, #kiln.dims<b, 4, 8, 8>>
    func.func @main(%q: !h, %k: !h, %v: !h) -> !h {
      %scale = kiln.constant dense<0.25> : tensor<f32>
      %kt = kiln.permute %k [0, 1, 3, 2] : !h -> tensor<?x4x16x8xf32, #kiln.dims<b, 4, 16, 8>>
      %0 = kiln.matmul %q, %kt : (!h, tensor<?x4x16x8xf32, #kiln.dims<b, 4, 16, 8>>) -> !s
      %1 = kiln.mul %0, %scale : (!s, tensor<f32>) -> !s
      %2 = kiln.softmax %1 axis 3 : !s
      %3 = kiln.matmul %2, %v : (!s, !h) -> !h
      return %3 : !h
    }
    ```

    becomes

    ```mlir
    !h = tensor<?x4x8x16xf32, #kiln.dims<b, 4, 8, 16>>
    func.func @main(%q: !h, %k: !h, %v: !h) -> !h {
      %0 = kiln.attention %q, %k, %v scale 0.25 : (!h, !h, !h) -> !h
      return %0 : !h
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def UnfuseAttentionPass : Pass<"kiln-unfuse-attention", "::mlir::ModuleOp"> {
  let summary = "attentions whose rows are wider than a kernel holds to products and softmaxes";
  let description = [{
    `kiln.attention` whose rows of q and k, or of v, are wider than the options say, or of a symbolic
    width, becomes the products and the softmax that it stands for: scores are then stored. All of
    that is computed in float32 and rounded once. Without options all are too wide.

    Example:

    ```mlir
    !h = tensor<1x8x4xf32>
    func.func @main(%q: !h, %k: !h, %v: !h) -> !h {
      %0 = kiln.attention %q, %k, %v scale 0.5 : (!h, !h, !h) -> !h
      return %0 : !h
    }
    ```

    becomes

    ```mlir
    !h = tensor<1x8x4xf32>
    !s = tensor<1x8x8xf32>
    func.func @main(%q: !h, %k: !h, %v: !h) -> !h {
      %scale = kiln.constant dense<0.5> : tensor<f32>
      %kt = kiln.permute %k [0, 2, 1] : !h -> tensor<1x4x8xf32>
      %0 = kiln.matmul %q, %kt : (!h, tensor<1x4x8xf32>) -> !s
      %1 = kiln.mul %0, %scale : (!s, tensor<f32>) -> !s
      %2 = kiln.softmax %1 axis 2 : !s
      %3 = kiln.matmul %2, %v : (!s, !h) -> !h
      return %3 : !h
    }
    ```
  }];
  let options = [Option<"mostDepth", "most-depth", "int64_t", "0", "widest rows of q and k">,
                 Option<"mostColumns", "most-columns", "int64_t", "0", "widest rows of v">];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseLinearPass : Pass<"kiln-fuse-linear", "::mlir::ModuleOp"> {
  let summary = "products with a weight, and the bias behind them, to linear";
  let description = [{
    `matmul(x, permute(w))` with a weight w of the model becomes `kiln.linear`, whose kernel reads w
    packed once at load; a row added to it becomes its bias. So does `matmul(x, reshape(w))` with a
    filter [..., N], whose dims but the last are one.

    Example:

    ```mlir
    !x = tensor<?x2xf32, #kiln.dims<n, 2>>
    !y = tensor<?x3xf32, #kiln.dims<n, 3>>
    func.func @main(%x: !x, %w: tensor<3x2xf32> {kiln.role = "weight"}, %b: tensor<3xf32>) -> !y {
      %wt = kiln.permute %w [1, 0] : tensor<3x2xf32> -> tensor<2x3xf32>
      %0 = kiln.matmul %x, %wt : (!x, tensor<2x3xf32>) -> !y
      %1 = kiln.add %0, %b : (!y, tensor<3xf32>) -> !y
      return %1 : !y
    }
    ```

    becomes

    ```mlir
    !x = tensor<?x2xf32, #kiln.dims<n, 2>>
    !y = tensor<?x3xf32, #kiln.dims<n, 3>>
    func.func @main(%x: !x, %w: tensor<3x2xf32> {kiln.role = "weight"}, %b: tensor<3xf32>) -> !y {
      %0 = kiln.linear %x, weights(%w) biases(%b) : (!x, tensor<3x2xf32>, tensor<3xf32>) -> !y
      return %0 : !y
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseSiblingsPass : Pass<"kiln-fuse-siblings", "::mlir::ModuleOp"> {
  let summary = "several linears of one input to one with several results (q, k and v)";
  let description = [{
    The rows of x are then copied into the kernel's order once instead of once for each.

    Example:

    ```mlir
    func.func @main(%x: tensor<5x2xf32>, %q: tensor<4x2xf32>, %k: tensor<4x2xf32>)
        -> (tensor<5x4xf32>, tensor<5x4xf32>) {
      %0 = kiln.linear %x, weights(%q) : (tensor<5x2xf32>, tensor<4x2xf32>) -> tensor<5x4xf32>
      %1 = kiln.linear %x, weights(%k) : (tensor<5x2xf32>, tensor<4x2xf32>) -> tensor<5x4xf32>
      return %0, %1 : tensor<5x4xf32>, tensor<5x4xf32>
    }
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<5x2xf32>, %q: tensor<4x2xf32>, %k: tensor<4x2xf32>)
        -> (tensor<5x4xf32>, tensor<5x4xf32>) {
      %0:2 = kiln.linear %x, weights(%q, %k)
          : (tensor<5x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>)
      return %0#0, %0#1 : tensor<5x4xf32>, tensor<5x4xf32>
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseEpiloguePass : Pass<"kiln-fuse-epilogue", "::mlir::ModuleOp"> {
  let summary = "what follows a product, up to a layer_norm, into its kernel";
  let description = [{
    What follows a linear elementwise (activation, residual), and a layer_norm over its rows, works on
    the block that the product has just written, while that is in the nearest cache; behind a matmul or
    an attention, elementwise operations do. What a kernel can hold is stated and checked in
    passes/cpu/KernelForms.h. What only a reduction reads is left to it.

    Example:

    ```mlir
    func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>, %r: tensor<5x3xf32>) -> tensor<5x3xf32> {
      %0 = kiln.linear %x, weights(%w) : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
      %1 = kiln.gelu %0 : tensor<5x3xf32>
      %2 = kiln.add %1, %r : tensor<5x3xf32>
      return %2 : tensor<5x3xf32>
    }
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<5x2xf32>, %w: tensor<3x2xf32>, %r: tensor<5x3xf32>) -> tensor<5x3xf32> {
      %0 = kiln.fusion (%a = %x : tensor<5x2xf32>, %b = %w : tensor<3x2xf32>, %c = %r : tensor<5x3xf32>)
          -> tensor<5x3xf32> {
        %1 = kiln.linear %a, weights(%b) : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
        %2 = kiln.gelu %1 : tensor<5x3xf32>
        %3 = kiln.add %2, %c : tensor<5x3xf32>
        kiln.yield %3 : tensor<5x3xf32>
      }
      return %0 : tensor<5x3xf32>
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseGatherPass : Pass<"kiln-fuse-gather", "::mlir::ModuleOp"> {
  let summary = "gathers and windows into the linear or layer_norm that reads their rows";
  let description = [{
    Gathered rows are read straight into a product's left operand, and a sum of gathered rows straight
    into a layer_norm: they are never stored. So are windows, with the views behind them and the
    edges (one number everywhere) that are put around what they are cut from: a convolution.

    Example:

    ```mlir
    !i = tensor<?xi64, #kiln.dims<n>>
    !y = tensor<?x3xf32, #kiln.dims<n, 3>>
    func.func @main(%table: tensor<9x3xf32>, %i: !i, %j: !i) -> !y {
      %0 = kiln.gather %table[%i] axis 0 : (tensor<9x3xf32>, !i) -> !y
      %1 = kiln.gather %table[%j] axis 0 : (tensor<9x3xf32>, !i) -> !y
      %2 = kiln.add %0, %1 : !y
      %3 = kiln.layer_norm %2 epsilon 1.0e-05 : (!y) -> !y
      return %3 : !y
    }
    ```

    becomes

    ```mlir
    !i = tensor<?xi64, #kiln.dims<n>>
    !y = tensor<?x3xf32, #kiln.dims<n, 3>>
    func.func @main(%table: tensor<9x3xf32>, %i: !i, %j: !i) -> !y {
      %0 = kiln.fusion (%t = %table : tensor<9x3xf32>, %a = %i : !i, %b = %j : !i) -> !y {
        %1 = kiln.gather %t[%b] axis 0 : (tensor<9x3xf32>, !i) -> !y
        %2 = kiln.gather %t[%a] axis 0 : (tensor<9x3xf32>, !i) -> !y
        %3 = kiln.add %2, %1 : !y
        %4 = kiln.layer_norm %3 epsilon 1.0e-05 : (!y) -> !y
        kiln.yield %4 : !y
      }
      return %0 : !y
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseElementwisePass : Pass<"kiln-fuse-elementwise", "::mlir::ModuleOp"> {
  let summary = "what is left: elementwise operations and movements into loops and rows";
  let description = [{
    Reductions, softmax, layer_norm, cumsum and argsort take in what only they read and the elementwise
    operations on their results; chains of the rest become one loop. A value that several kernels need is stored
    once; nothing is computed more often than before, apart from casts and movements.

    Example:

    ```mlir
    func.func @main(%x: tensor<5x3xf32>, %y: tensor<5x3xf32>) -> (tensor<5x1xf32>, tensor<5x3xf32>) {
      %0 = kiln.mul %x, %y : tensor<5x3xf32>
      %1 = kiln.sum %0 axis 1 : (tensor<5x3xf32>) -> tensor<5x1xf32>
      %2 = kiln.sqrt %1 : tensor<5x1xf32>
      %3 = kiln.exp %y : tensor<5x3xf32>
      %4 = kiln.neg %3 : tensor<5x3xf32>
      return %2, %4 : tensor<5x1xf32>, tensor<5x3xf32>
    }
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<5x3xf32>, %y: tensor<5x3xf32>) -> (tensor<5x1xf32>, tensor<5x3xf32>) {
      %0 = kiln.fusion (%a = %x : tensor<5x3xf32>, %b = %y : tensor<5x3xf32>) -> tensor<5x1xf32> {
        %2 = kiln.mul %a, %b : tensor<5x3xf32>
        %3 = kiln.sum %2 axis 1 : (tensor<5x3xf32>) -> tensor<5x1xf32>
        %4 = kiln.sqrt %3 : tensor<5x1xf32>
        kiln.yield %4 : tensor<5x1xf32>
      }
      %1 = kiln.fusion (%a = %y : tensor<5x3xf32>) -> tensor<5x3xf32> {
        %2 = kiln.exp %a : tensor<5x3xf32>
        %3 = kiln.neg %2 : tensor<5x3xf32>
        kiln.yield %3 : tensor<5x3xf32>
      }
      return %0, %1 : tensor<5x1xf32>, tensor<5x3xf32>
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def OutlinePass : Pass<"kiln-outline", "::mlir::ModuleOp"> {
  let summary = "make each fusion a kernel function; equal ones become one";
  let description = [{
    Every operation of `@main` that is not yet in a `kiln.fusion` becomes one of its own, apart from
    `reshape` (a view) and the `return`. Then each fusion's body moves to a private function and the
    fusion becomes a `kiln.launch` of it. Constants move into the kernels that use them. Fusions with
    equal bodies, such as those of a transformer's layers, share one function, so that compile time
    grows with the distinct kernels; not those that gather at different places of the user's program,
    for an index that is out of range is reported with its place.

    Example:

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.gelu %x : tensor<4xf32>
      %1 = kiln.gelu %0 : tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.launch @gelu(%x) : (tensor<4xf32>) -> tensor<4xf32>
      %1 = kiln.launch @gelu(%0) : (tensor<4xf32>) -> tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    func.func private @gelu(%x: tensor<4xf32>) -> tensor<4xf32> attributes {kiln.kernel} {
      %0 = kiln.gelu %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect", "::mlir::func::FuncDialect"];
}

def InlineSubgraphsPass : Pass<"kiln-inline-subgraphs", "::mlir::ModuleOp"> {
  let summary = "put the bodies of subgraphs in the place of their calls";
  let description = [{
    A `func.call` in `@main` becomes the operations of the function that it calls, and functions that
    nothing calls any more go. With `once`, only where the function has no other call.

    Example:

    ```mlir
    func.func private @subgraph_0(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.gelu %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @subgraph_0(%x) : (tensor<4xf32>) -> tensor<4xf32>
      %1 = call @subgraph_0(%0) : (tensor<4xf32>) -> tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    ```

    becomes

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.gelu %x : tensor<4xf32>
      %1 = kiln.gelu %0 : tensor<4xf32>
      return %1 : tensor<4xf32>
    }
    ```
  }];
  let options = [Option<"once", "once", "bool", "false", "leave functions of several calls">];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def LowerToCpuPass : Pass<"kiln-lower-to-cpu", "::mlir::ModuleOp"> {
  let summary = "kernels to loops and vectors, @main to the entry function";
  let description = [{
    Each kernel becomes a launcher and a body (passes/cpu/KernelBuilder.h), `@main` becomes
    `@kiln_entry` (runtime/Abi.h) with its workspace planned by liveness. What the artifact must say
    beside the code is left on the module as `kiln.artifact`.

    Example:

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.launch @neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func private @neg(%x: tensor<4xf32>) -> tensor<4xf32> attributes {kiln.kernel} {
      %0 = kiln.neg %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```

    becomes, in part

    ```mlir
    llvm.func private @neg.body(
    arith.negf
    llvm.func private @neg(
    llvm.func @kiln_entry(
    llvm.call @neg(
    ```
  }];
  let options = [Option<"target", "target", "std::string", "\"x86-64\"",
                        "x86-64 (SSE4.2), x86-64-v3 (AVX2) or x86-64-v4 (AVX-512)">,
                 Option<"int8Activations", "int8-activations", "bool", "false",
                        "round what packed weights are multiplied with to int8">,
                 Option<"precision", "precision", "std::string", "\"highest\"",
                        "of products of float32: highest, high or bf16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerToGpuPass : Pass<"kiln-lower-to-gpu", "::mlir::ModuleOp"> {
  let summary = "kernels to functions of an accelerator, @main to the entry function";
  let description = [{
    As `kiln-lower-to-cpu`, but each launcher works out the sizes of a grid and has the runtime launch
    what the kernel became in `gpu.module @kernels` (passes/gpu/DeviceKernel.h). `kiln.artifact` says
    in `device_functions` how each of those is launched.

    Example:

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = kiln.launch @neg(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    func.func private @neg(%x: tensor<4xf32>) -> tensor<4xf32> attributes {kiln.kernel} {
      %0 = kiln.neg %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```

    becomes, in part

    ```mlir
    gpu.module @kernels {
    llvm.func @neg(
    nvvm.read.ptx.sreg.ctaid.x
    arith.negf
    llvm.func private @neg(
    llvm.func @kiln_entry(
    llvm.call @neg(
    ```
  }];
  let options = [Option<"chip", "chip", "std::string", "\"sm_80\"", "sm_80, sm_90 or sm_100">,
                 Option<"precision", "precision", "std::string", "\"highest\"",
                        "of products of float32: highest, high or bf16">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect",
                           "::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect"];
}

#endif // KILN_PASSES_TD
