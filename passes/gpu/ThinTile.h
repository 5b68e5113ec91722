#pragma once

#include "passes/gpu/ProductTile.h"

namespace kiln::passes {

/// The product of a few rows without tensor cores: what counts is how fast the other operand comes
/// from memory. A warp has `warpColumns` columns, its threads take turns along k, 16 bytes of each
/// column and each row at once, and what they have summed up comes together by shuffles. Where
/// there are few columns several warps of a block share them, each with its part of k; their sums
/// are added in order. Multiplication and sums are float32.
class ThinTile {
public:
  static constexpr int64_t warps = 8, threads = warps * 32, warpColumns = 4;

  /// `rows` at once: 1, 2 or 4. `chunk`: elements in 16 bytes. Of `depth` k, whole chunks, and
  /// `columns` in all.
  ThinTile(int64_t rows, int64_t chunk, int64_t depth, int64_t columns);

  TileShape shape() const { return {rows, warps / depthWarps * warpColumns, 1, warps}; }
  int64_t resultBytes() const { return shape().rows * shape().columns * 4; }
  /// Dynamic shared memory of emit, beside the results.
  int64_t partialBytes() const { return depthWarps * resultBytes(); }

  /// Operands as ProductTile::emit has them, of which `aRows` and `bRows`, one or more, are there.
  /// Leaves float32 [rows, columns] at `results`, which all threads see when it ends. `partial`:
  /// shared memory. All threads of the block come here.
  void emit(FunctionEmitter &f, mlir::Value thread, const TileOperand &a, mlir::Value aRows,
            const TileOperand &b, mlir::Value bRows, mlir::Value partial,
            mlir::Value results) const;

private:
  int64_t rows, chunk, chunks;
  int64_t depthWarps = 1; // warps that share columns
};

} // namespace kiln::passes
