#pragma once

#include "passes/cpu/RowReduce.h"
#include "passes/gpu/DeviceKernel.h"

namespace kiln::passes {

/// The reduction, softmax or layer_norm of a row kernel.
struct RowAnchor {
  explicit RowAnchor(Kernel &kernel);

  Kernel &kernel;
  mlir::Operation *op;
  llvm::StringRef name; // "layer_norm"
  TensorType type, resultType;
  int64_t axis;

  bool keepsShape() const { return name == "softmax" || name == "layer_norm"; }
  bool byIndex() const { return name == "argmax" || name == "argmin"; }
  std::optional<Reduction> reduction() const;

  /// What a reduction gives, of all elements combined.
  mlir::Value finish(FunctionEmitter &f, mlir::Value combined) const;
  /// Of two (element, place) of argmax or argmin the one that is wanted: the better element, the
  /// first of equals, a NaN before anything else.
  llvm::SmallVector<mlir::Value> better(FunctionEmitter &f, mlir::ValueRange x,
                                        mlir::ValueRange y) const;
  /// Stores the kernel's results at coordinates where the anchor has `value`.
  void store(FunctionEmitter &f, const Coords &at, mlir::Value value) const;
};

/// The launcher of a kernel whose last parameter is its number of rows, `outer`, and whose blocks
/// work on `rowsPerBlock` of them.
void emitRowLauncher(ModuleLowering &lowering, Kernel &kernel, int64_t number,
                     mlir::ArrayRef<IndexCheck> checks, mlir::ArrayRef<Dim> outer,
                     int64_t rowsPerBlock);

/// Along another axis than the last one.
void emitDeviceColumns(ModuleLowering &lowering, Kernel &kernel);

} // namespace kiln::passes
