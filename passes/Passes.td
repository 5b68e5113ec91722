#ifndef KILN_PASSES_TD
#define KILN_PASSES_TD

include "mlir/Pass/PassBase.td"

// The order is stated in Pipelines.cpp alone. The example of each pass is a test:
// test/passes/<pass>.mlir.

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
