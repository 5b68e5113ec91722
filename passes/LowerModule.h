#pragma once

#include "passes/cpu/Kernels.h"

namespace kiln::passes {

/// What differs between devices when a module of kernels is lowered.
struct Backend {
  llvm::StringLiteral device; // "the CPU", for messages
  KernelEmitter (*findEmitter)(mlir::Operation *anchor);
  bool (*hasElementwise)(llvm::StringRef op, DType dtype);
  /// In the entry: copies `bytes` between buffers that do not overlap.
  void (*emitCopy)(FunctionEmitter &f, mlir::Value from, mlir::Value to, mlir::Value bytes);
};

/// The precision that a pass of `module` was asked for by name; none, after reporting it, if there
/// is no such.
std::optional<Precision> precisionOption(mlir::ModuleOp module, llvm::StringRef name);

/// Kernels become launchers and what they run, `@main` becomes `@kiln_entry` (runtime/Abi.h) with
/// its workspace planned by liveness. What the artifact must say beside the code is left on the
/// module as `kiln.artifact`. `lowering` names the module and the target.
mlir::LogicalResult lowerModule(ModuleLowering &lowering, const Backend &backend);

} // namespace kiln::passes
