#pragma once

#include "passes/gpu/ProductTile.h"

namespace kiln::passes {

/// The product of a large tile by wgmma (chip sm_90a), for 16-bit floats. Four warps copy, eight
/// multiply, each four of them 64 rows. Stages go round in shared memory; each has an mbarrier on
/// which its copies arrive and one on which those arrive who have read it.
///
/// Weights are packed in tiles that are a stage's part each, so that one bulk copy fetches it;
/// chunks of x come as its operand gives them, so that gathered rows, rows that are computed and
/// edges are what they are in smaller tiles.
class WarpgroupTile {
public:
  explicit WarpgroupTile(DType dtype) : dtype(dtype) {}

  /// Of the result, cut between the warps that multiply. Two products that are needed together
  /// have half of the columns each.
  static constexpr TileShape shape{128, 256, 2, 4};
  static TileShape shapeOf(size_t products) {
    return {shape.rows, shape.columns / static_cast<int64_t>(products), shape.warpRows,
            shape.warpColumns};
  }
  /// Columns of K in a stage, and what a tile of weights has of them: 128 bytes of each.
  static constexpr int64_t depth = 64, rowBytes = 128, weightBytes = shape.columns * rowBytes;
  static constexpr int64_t copyThreads = 128, threads = copyThreads + shape.threads();

  int64_t sharedBytes() const;
  /// Steps of k of a product.
  static int64_t stepsOf(int64_t k) { return (k + depth - 1) / depth; }

  /// The tile (i64) that a block makes, counted as those above each other one after the other:
  /// those that run at the same time shall read few rows and few columns.
  static mlir::Value tileOf(FunctionEmitter &f, mlir::Value block, mlir::Value tall, int64_t wide);

  /// Emits all that the block does. `x`: rows of x from the tile's first on; `weights`: of each
  /// product, where its columns begin in the first of `steps` tiles; `behind(thread, results)`: what
  /// follows, for each of shape.threads() threads, with the results of `shape` as
  /// ProductTile::store lays them out.
  void emit(FunctionEmitter &f, llvm::function_ref<TileOperand()> x, mlir::ValueRange weights,
            int64_t steps, llvm::function_ref<void(mlir::Value, mlir::Value)> behind) const;

private:
  static constexpr int64_t stages = 4, xBytes = shape.rows * rowBytes,
                           stageBytes = xBytes + weightBytes;
  struct Ring;
  void emitCopies(FunctionEmitter &f, const Ring &ring, mlir::Value thread, const TileOperand &x,
                  mlir::ValueRange weights, int64_t steps) const;
  mlir::Value emitProducts(FunctionEmitter &f, const Ring &ring, mlir::Value thread,
                           int64_t steps) const;
  void store(FunctionEmitter &f, mlir::Value thread, mlir::Value sums, mlir::Value shared) const;

  DType dtype;
};

} // namespace kiln::passes
