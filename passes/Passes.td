#ifndef KILN_PASSES_TD
#define KILN_PASSES_TD

include "mlir/Pass/PassBase.td"

// The order is stated in Pipelines.cpp alone. The example of each pass is a test:
// test/passes/<pass>.mlir.

def FuseAttentionPass : Pass<"kiln-fuse-attention", "::mlir::ModuleOp"> {
  let summary = "scores, softmax and weighted sum to one attention; permutes of heads into it";
  let description = [{
    `matmul(softmax(matmul(q, permute(k)) * scale + mask), v)` becomes `kiln.attention`, whose kernel
    never stores the scores. Where q, k and v are permuted from [..., S, H, D] to [..., H, S, D] just
    for it, it reads them as they lie (`layout bshd`).

    Example: test/passes/fuse-attention.mlir.
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseLinearPass : Pass<"kiln-fuse-linear", "::mlir::ModuleOp"> {
  let summary = "products with a weight, and the bias behind them, to linear";
  let description = [{
    `matmul(x, permute(w))` with a weight w of the model becomes `kiln.linear`, whose kernel reads w
    packed once at load; a row added to it becomes its bias.

    Example: test/passes/fuse-linear.mlir.
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseSiblingsPass : Pass<"kiln-fuse-siblings", "::mlir::ModuleOp"> {
  let summary = "several linears of one input to one with several results (q, k and v)";
  let description = [{
    The rows of x are then copied into the kernel's order once instead of once for each.

    Example: test/passes/fuse-siblings.mlir.
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseEpiloguePass : Pass<"kiln-fuse-epilogue", "::mlir::ModuleOp"> {
  let summary = "activation, residual and layer_norm behind a linear into its kernel";
  let description = [{
    What follows a linear elementwise, and a layer_norm over its rows, works on the block that the
    product has just written, while that is in the nearest cache. What a kernel can hold is stated
    and checked in passes/cpu/KernelForms.h.

    Example: test/passes/fuse-epilogue.mlir.
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseGatherPass : Pass<"kiln-fuse-gather", "::mlir::ModuleOp"> {
  let summary = "gathers into the linear or layer_norm that reads their rows";
  let description = [{
    Gathered rows are read straight into a product's left operand, and a sum of gathered rows straight
    into a layer_norm: they are never stored.

    Example: test/passes/fuse-gather.mlir.
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect"];
}

def FuseElementwisePass : Pass<"kiln-fuse-elementwise", "::mlir::ModuleOp"> {
  let summary = "what is left: elementwise operations and movements into loops and rows";
  let description = [{
    Reductions, softmax and layer_norm take in what only they read and the elementwise operations on
    their results; chains of the rest become one loop. A value that several kernels need is stored
    once; nothing is computed more often than before, apart from casts and movements.

    Example: test/passes/fuse-elementwise.mlir.
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
    grows with the distinct kernels.

    Example:

    ```mlir
    %0 = kiln.gelu %x : tensor<4xf32>
    %1 = kiln.gelu %0 : tensor<4xf32>
    ```

    becomes

    ```mlir
    %0 = kiln.launch @gelu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = kiln.launch @gelu(%0) : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::kiln::ir::KilnDialect", "::mlir::func::FuncDialect"];
}

def LowerToCpuPass : Pass<"kiln-lower-to-cpu", "::mlir::ModuleOp"> {
  let summary = "kernels to loops and vectors, @main to the entry function";
  let description = [{
    Each kernel becomes a launcher and a body (passes/cpu/KernelBuilder.h), `@main` becomes
    `@kiln_entry` (runtime/Abi.h) with its workspace planned by liveness. What the artifact must say
    beside the code is left on the module as `kiln.artifact`.
  }];
  let options = [Option<"target", "target", "std::string", "\"x86-64\"",
                        "x86-64 (SSE4.2), x86-64-v3 (AVX2) or x86-64-v4 (AVX-512)">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif // KILN_PASSES_TD
