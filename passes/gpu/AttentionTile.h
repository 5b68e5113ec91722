#pragma once

#include "passes/gpu/ProductTile.h"

namespace kiln::passes {

/// Attention of 64 queries by a block of four warps, over blocks of 64 keys: scores, their softmax
/// as far as it is known, and the product with v stay in registers (MultiplyStep.h).
class AttentionTile {
public:
  static constexpr int64_t queries = 64, keys = 64, threads = 128;

  /// `depth` and `columns`: elements of a row of q and k, and of v.
  AttentionTile(const DeviceProduct &product, int64_t depth, int64_t columns);

  /// Dynamic shared memory, bytes.
  int64_t sharedBytes() const;
  /// Elements (float32) between rows of the results in shared memory.
  int64_t resultStride() const { return paddedColumns + 8; }

  /// What the scores of a key block become: score of a query of the tile and of a key, both i64, as
  /// f32, -inf where the query does not attend to the key.
  using Adjust = std::function<mlir::Value(mlir::Value score, mlir::Value query, mlir::Value key)>;
  /// `keyRows(firstKey)` and `valueRows(firstKey)` give the rows of k and v from there on. Leaves
  /// the results, float32, at the beginning of `shared`; all threads of the block come here.
  void emit(FunctionEmitter &f, mlir::Value thread, mlir::Value shared, const TileOperand &q,
            std::function<TileOperand(mlir::Value firstKey)> keyRows,
            std::function<TileOperand(mlir::Value firstKey)> valueRows, mlir::Value keyCount,
            const Adjust &adjust) const;

private:
  struct Lane; // where this thread is
  void loadTile(FunctionEmitter &f, mlir::Value thread, const TileOperand &rows, mlir::Value shared,
                int64_t rowBytes) const;
  llvm::SmallVector<mlir::Value> scores(FunctionEmitter &f, const Lane &lane, mlir::Value q,
                                        mlir::Value k) const;
  void addValues(FunctionEmitter &f, const Lane &lane, mlir::ArrayRef<mlir::Value> weights,
                 mlir::Value v, mlir::MutableArrayRef<mlir::Value> sums) const;

  int64_t bytes() const { return static_cast<int64_t>(sizeBytes(product.dtype)); }
  /// Whether float32 is multiplied as bfloat16.
  bool rounds() const {
    return product.dtype == DType::float32 && product.precision == Precision::bf16;
  }
  int64_t keyTiles() const { return keys / 8; }
  int64_t columnTiles() const { return paddedColumns / 8; }

  DeviceProduct product;
  int64_t paddedColumns;
  int64_t depthBytes;              // of a row of q or k, whole steps of 32
  int64_t rowBytes, valueRowBytes; // between rows in shared memory: 16 more, against bank conflicts
};

} // namespace kiln::passes
