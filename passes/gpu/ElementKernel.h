#pragma once

#include "passes/gpu/DeviceKernel.h"

namespace kiln::passes {

/// Lowers a kernel to one function in which each thread does `work` for one place of `shape`.
void emitPerElement(
    ModuleLowering &lowering, Kernel &kernel, mlir::ArrayRef<Dim> shape,
    llvm::function_ref<void(FunctionEmitter &, llvm::SmallVector<mlir::Value> at)> work);

/// In such a kernel: stores its results where the anchor has `value`.
void storeAnchor(FunctionEmitter &f, Kernel &kernel, llvm::ArrayRef<mlir::Value> at,
                 mlir::Value value);
/// An element of an operand of the anchor.
mlir::Value readElement(FunctionEmitter &f, Kernel &kernel, mlir::Value tensor,
                        llvm::ArrayRef<mlir::Value> at);

} // namespace kiln::passes
