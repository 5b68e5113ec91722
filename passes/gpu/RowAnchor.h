#pragma once

#include "passes/cpu/RowReduce.h"
#include "passes/gpu/DeviceKernel.h"

namespace kiln::passes {

/// The reduction, softmax or layer_norm of a row kernel.
struct RowAnchor {
  explicit RowAnchor(Kernel &kernel) : RowAnchor(kernel, kernel.anchor) {}
  RowAnchor(Kernel &kernel, mlir::Operation *op);

  Kernel &kernel;
  mlir::Operation *op;
  llvm::StringRef name; // "layer_norm"
  TensorType type, resultType;
  int64_t axis;
  /// What is stored: values of the kernel's body and the numbers of its results.
  llvm::SmallVector<std::pair<mlir::Value, unsigned>> stores;
  /// The result in whose memory another stage has put the anchor's operand; it is read from there.
  std::optional<unsigned> operandAt;

  bool keepsShape() const { return name == "softmax" || name == "layer_norm"; }
  bool byIndex() const { return name == "argmax" || name == "argmin"; }
  std::optional<Reduction> reduction() const;

  /// What a reduction gives, of all elements combined.
  mlir::Value finish(FunctionEmitter &f, mlir::Value combined) const;
  /// Of two (element, place) of argmax or argmin the one that is wanted: the better element, the
  /// first of equals, a NaN before anything else.
  llvm::SmallVector<mlir::Value> better(FunctionEmitter &f, mlir::ValueRange x,
                                        mlir::ValueRange y) const;
  /// The anchor's operand.
  mlir::Value read(FunctionEmitter &f, const Coords &at) const;
  /// Stores the kernel's results at coordinates where the anchor has `value`.
  void store(FunctionEmitter &f, const Coords &at, mlir::Value value) const;

private:
  /// The kernel's operands, and what another stage has left.
  void provide(FunctionEmitter &f, ElementEmitter &elements) const;
};

/// The launcher of a kernel whose last parameter is its number of rows, `outer`, and whose blocks
/// work on `rowsPerBlock` of them.
void emitRowLauncher(ModuleLowering &lowering, Kernel &kernel, int64_t number,
                     mlir::ArrayRef<IndexCheck> checks, mlir::ArrayRef<Dim> outer,
                     int64_t rowsPerBlock);

/// The device function of rows along the last axis, with a name behind the kernel's: its number.
/// Its last parameter is the number of rows.
struct RowFunction {
  int64_t number, rowsPerBlock;
};
RowFunction emitRowFunction(ModuleLowering &lowering, const RowAnchor &anchor,
                            llvm::StringRef suffix, mlir::ArrayRef<IndexCheck> checks);

/// Along another axis than the last one.
void emitDeviceColumns(ModuleLowering &lowering, Kernel &kernel);

} // namespace kiln::passes
