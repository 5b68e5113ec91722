#pragma once

#include "passes/cpu/ElementEmitter.h"
#include "passes/gpu/MultiplyStep.h"

#include <functional>

namespace kiln::passes {

/// How a block multiplies: a tile of `rows` x `columns` of the result, cut between `warpRows` x
/// `warpColumns` warps.
struct TileShape {
  int64_t rows, columns, warpRows, warpColumns;
  constexpr int64_t threads() const { return warpRows * warpColumns * 32; }
};

/// One operand of a product as the tile reads it: rows of k, in chunks of 16 bytes. (Of the second
/// operand these rows are the columns of the tile.)
struct TileOperand {
  /// What a thread must know of row number `row` of the tile: called once for each of its rows.
  std::function<llvm::SmallVector<mlir::Value>(mlir::Value row)> prepare;
  /// Writes the elements from `column` of k on to 16 bytes of shared memory; zeros behind the end
  /// of k and for rows that are not there. It may begin an asynchronous copy.
  std::function<void(mlir::ValueRange prepared, mlir::Value column, mlir::Value shared)> load;
  /// The elements of a chunk as a vector of float32, for a row that is there and a whole chunk
  /// within k.
  std::function<mlir::Value(mlir::ValueRange prepared, mlir::Value column)> read;

  /// Of the second operand: it lies as [k, columns of the tile]. Then `prepare` is called with the
  /// first column of a chunk, `load` with the number of a row; there is no `read`.
  bool isAcross = false;
};

/// The product of a tile on tensor cores: chunks of both operands come through shared memory, in
/// stages that are copied while earlier ones are multiplied (MultiplyStep.h).
class ProductTile {
public:
  ProductTile(const DeviceProduct &product, const TileShape &shape)
      : product(product), shape(shape) {}

  /// Blocks whose registers must fit on a multiprocessor (DeviceLaunch): three small ones, with up
  /// to 168 of a thread. Products in parts need more.
  int64_t blocks() const { return shape.threads() >= 256 ? 0 : product.inParts() ? 2 : 3; }
  /// Whether each number is multiplied in two parts.
  bool inParts() const { return product.inParts(); }
  /// Elements of a chunk.
  int64_t chunkElements() const { return chunkBytes / sizeBytes(product.dtype); }
  /// Dynamic shared memory of the stages, and of a tile of results as `store` lays it out.
  int64_t stageBytes() const { return stages * (shape.rows + shape.columns) * rowBytes; }
  int64_t resultBytes() const { return shape.rows * resultStride() * 4; }
  /// Elements (float32) between rows of results.
  int64_t resultStride() const { return shape.columns + 8; }

  /// A stretch of k, in stages of 64 bytes: [begin, end).
  struct Stages {
    mlir::Value begin, end;
  };
  Stages allStages(FunctionEmitter &f, mlir::Value depth) const;
  int64_t stagesOf(int64_t depth) const {
    return (depth + chunks * chunkElements() - 1) / (chunks * chunkElements());
  }

  /// The sums of that stretch of k, in this thread's registers. All threads of the block come here,
  /// and all have read the stages when it ends. `shared`: the stages.
  llvm::SmallVector<mlir::Value> emit(FunctionEmitter &f, mlir::Value thread, mlir::Value shared,
                                      const TileOperand &a, const TileOperand &b,
                                      const Stages &stretch) const;
  /// Calls `use` with each two neighbours in a row of this thread's sums, as a vector, and their
  /// place in the tile.
  void forEachPair(
      FunctionEmitter &f, mlir::Value thread, mlir::ValueRange sums,
      llvm::function_ref<void(mlir::Value row, mlir::Value column, mlir::Value pair)> use) const;
  /// The same of each four neighbours, of several products: threads exchange what they have, so
  /// that four of them have 64 bytes of a row. All threads of the block come here, and to `use`.
  void forEachFour(FunctionEmitter &f, mlir::Value thread,
                   mlir::ArrayRef<llvm::SmallVector<mlir::Value>> products,
                   llvm::function_ref<void(mlir::Value row, mlir::Value column,
                                           mlir::ArrayRef<mlir::Value> fours)>
                       use) const;
  /// Writes them to a tile of results in shared memory.
  void store(FunctionEmitter &f, mlir::Value thread, mlir::ValueRange sums,
             mlir::Value shared) const;

  static constexpr int64_t chunkBytes = 16;
  /// How many neighbours forEachFour gives.
  static constexpr int64_t four = 4;

private:
  /// Of a stage: 64 bytes of k for each row. With 16 more between rows, the 8 rows that are read at
  /// once lie in different banks.
  static constexpr int64_t chunks = 4, rowBytes = chunks * chunkBytes + 16, stages = 4;

  /// Between rows of an operand that lies across, in the place of its rows of k. 16-bit elements
  /// are read as 8 chunks of rows one after the other, float32 as words of rows 0 to 3.
  int64_t acrossBytes() const {
    const int64_t bytes = sizeBytes(product.dtype);
    return shape.columns * bytes + (bytes == 4 ? 32 : 16);
  }

  int64_t tilesM() const { return shape.rows / shape.warpRows / 16; }
  int64_t tilesN() const { return shape.columns / shape.warpColumns / 8; }

  /// Where this thread copies from and to, and where it reads.
  struct Places;
  void addSources(FunctionEmitter &f, Places &places, mlir::Value thread,
                  const TileOperand &operand, int64_t rows, int64_t base) const;
  void addSourcesAcross(FunctionEmitter &f, Places &places, mlir::Value thread,
                        const TileOperand &operand) const;
  /// The words of the second operand for a step of 32 bytes of k.
  void loadWords(FunctionEmitter &f, const Places &places, mlir::Value stage, int64_t step,
                 llvm::MutableArrayRef<llvm::SmallVector<mlir::Value>> words) const;
  llvm::SmallVector<mlir::Value> multiply(FunctionEmitter &f, const Places &places,
                                          const Stages &stretch, Operands operands) const;

  DeviceProduct product;
  TileShape shape;
};

} // namespace kiln::passes
