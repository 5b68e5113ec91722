#pragma once

#include "ir/KilnDialect.h"
#include "passes/gpu/TileOperands.h"

namespace kiln::passes {

/// Where a linear's tiles come from.
class LinearOperands {
public:
  LinearOperands(Kernel &kernel, ir::LinearOp linear);

  DType dtype; ///< Of the product: that of x and the weights, float32 where they differ.
  llvm::SmallVector<Dim> leading; ///< x without its last dim.
  Dim rows = 1;
  int64_t depth; ///< K.

  /// Whether operands can be read as ThinTile does: in whole chunks.
  bool canBeThin() const { return depth > 0 && isWhole(); }

  /// Has weights that are [K, N] come as [N, K], or those of these numbers in tiles for
  /// WarpgroupTile, which weightRows knows, too.
  void packWeights(mlir::ArrayRef<unsigned> inTiles);
  /// Rows of x from `firstRow` on, of `rows`.
  TileOperand x(FunctionEmitter &f, mlir::Value firstRow, mlir::Value rows);
  /// Whether a weight's rows are decoded as those of another, and come in memory the same way.
  bool areAlike(unsigned index, unsigned other);
  /// The buffer of weight number `index`, packed or not.
  mlir::Value weight(FunctionEmitter &f, unsigned index);
  /// Rows of a weight, that lies at `buffer` and is like weight number `index`.
  TileOperand weightRows(FunctionEmitter &f, unsigned index, mlir::Value buffer,
                         mlir::Value firstRow, mlir::Value rows);

  /// Of a weight in tiles at `buffer`: where row `number` of N begins in the first of its tiles.
  mlir::Value weightTile(FunctionEmitter &f, mlir::Value buffer, mlir::Value number);

private:
  bool isWhole() const { return depth * sizeBytes(dtype) % ProductTile::chunkBytes == 0; }
  /// x, or what is reshaped to it without a change of its rows.
  mlir::Value rowsOfX();
  /// The kernel's operand that a weight is, or is decoded from.
  mlir::BlockArgument argumentOf(unsigned index);

  Kernel &kernel;
  ir::LinearOp linear;
  llvm::SmallVector<unsigned> argumentsInTiles;
};

} // namespace kiln::passes
