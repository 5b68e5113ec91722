#pragma once

#include "passes/cpu/ElementEmitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace kiln::passes {

/// A kernel to lower: a function of kiln operations with at most one anchor (docs/architecture.md).
/// Emitters create `@<name>` (the launcher) and what it needs in the module.
struct Kernel {
  mlir::func::FuncOp function;
  std::string name;
  mlir::Operation *anchor = nullptr; // null: elementwise and views only
  mlir::Block &body() { return function.getBody().front(); }
  mlir::Operation *terminator() { return body().getTerminator(); }
  unsigned numOperands() { return function.getNumArguments(); }
};

using KernelEmitter = mlir::LogicalResult (*)(ModuleLowering &, Kernel &);

/// The emitter for an anchor by operation name; null if there is none. Emitters register in
/// Kernels.cpp's table, one line each.
KernelEmitter findKernelEmitter(mlir::Operation *anchor);

/// Whether every operand of a kernel without an anchor has the result's shape or one element, and
/// no operation moves elements: then the result is one long row.
bool isFlat(Kernel &kernel, const Shape &shape);
/// Operands of a flat kernel: at the flat position, which is the coordinate of the last axis.
void provideFlat(ElementEmitter &elements, FunctionEmitter &f, Kernel &kernel);

/// The coordinates of row number `row` of a tensor's outer dims.
llvm::SmallVector<mlir::Value> emitRowCoords(FunctionEmitter &f, mlir::ArrayRef<Dim> outer,
                                             mlir::Value row);

/// The buffers of the kernel's results, in a body.
llvm::SmallVector<mlir::Value> outputBuffers(FunctionEmitter &f, Kernel &kernel);
/// Every result of the kernel at `at`; `elements` has been provided with the anchor's result.
void storeResults(FunctionEmitter &f, ElementEmitter &elements, Kernel &kernel,
                  mlir::ArrayRef<mlir::Value> outputs, const Coords &at);

mlir::LogicalResult emitLoopKernel(ModuleLowering &lowering, Kernel &kernel);      // no anchor
mlir::LogicalResult emitRowKernel(ModuleLowering &lowering, Kernel &kernel);       // RowKernel.cpp
mlir::LogicalResult emitCumsumKernel(ModuleLowering &lowering, Kernel &kernel);    // Cumsum.cpp
mlir::LogicalResult emitArgsortKernel(ModuleLowering &lowering, Kernel &kernel);   // Argsort.cpp
mlir::LogicalResult emitScatterKernel(ModuleLowering &lowering, Kernel &kernel);   // Scatter.cpp
mlir::LogicalResult emitLinearKernel(ModuleLowering &lowering, Kernel &kernel);    // Linear.cpp
mlir::LogicalResult emitMatmulKernel(ModuleLowering &lowering, Kernel &kernel);    // Matmul.cpp
mlir::LogicalResult emitAttentionKernel(ModuleLowering &lowering, Kernel &kernel); // Attention.cpp

} // namespace kiln::passes
