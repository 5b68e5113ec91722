#pragma once

#include "ir/KilnDialect.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/MicrokernelPacking.h"

namespace kiln::passes {

/// Coordinates of vectors along a matrix's last axis; `lead`: those of its row.
Coords matrixCoords(llvm::ArrayRef<mlir::Value> lead, mlir::Value column, mlir::Value mask);

/// What a linear's kernel does behind the products: bias and all that is elementwise, and a
/// layer_norm of whole rows.
class LinearResults {
public:
  /// `form` must live as long.
  LinearResults(Kernel &kernel, const LinearForm &form, const ProductFormat &format);

  /// Finishes and stores a panel of `blockRows` rows. `strip`: float32 sums, rows of the panel's
  /// width; those of the group's next weight lie `stripStride` elements behind.
  void emitPanel(FunctionEmitter &f, const LinearForm::Group &group, mlir::Value strip,
                 int64_t stripStride, mlir::Value firstRow, mlir::Value blockRows,
                 mlir::Value panel);
  /// The body `name` of the second stage: rows of x lie in the memory of an output and are
  /// normalised from there.
  void emitNorm(ModuleLowering &lowering, llvm::StringRef name);

private:
  /// Sum and bias, rounded to the result's dtype.
  mlir::Value linearResult(FunctionEmitter &f, ElementEmitter &elements, unsigned index,
                           mlir::Value sum, const Coords &coords);
  /// All values first: a value may be read from where another is stored (layer_norm in place).
  /// `nextColumns`: how far to the right the row is written next, or 0.
  void storeAll(FunctionEmitter &f, ElementEmitter &elements,
                llvm::ArrayRef<LinearForm::Store> stores, mlir::Value matrixRow, int64_t columns,
                const Coords &coords, int64_t nextColumns = 0);

  Kernel &kernel;
  const LinearForm &form;
  ir::LinearOp linear;
  ProductFormat format;
  std::vector<Dim> leading; // dims of x but the last
};

} // namespace kiln::passes
