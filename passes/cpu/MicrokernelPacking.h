#pragma once

#include "passes/cpu/Kernels.h"
#include "passes/cpu/ProductFormat.h"

#include <functional>

namespace kiln::passes {

/// Gives the elements of a row (f32 vectors) at a column; `mask` null where all lanes are wanted.
using RowReader = std::function<mlir::Value(mlir::Value column, mlir::Value mask)>;
/// Called once at the start of each row, where what depends on the row alone is computed.
using RowSource = std::function<RowReader(mlir::Value row)>;

/// Columns [0, count) in steps of lanes(), with a masked step at the end only where `wholeVectors`
/// does not rule it out.
void emitColumns(FunctionEmitter &f, mlir::Value count, bool wholeVectors,
                 llvm::function_ref<void(mlir::Value column, mlir::Value mask)> body);

/// Elements between the parts of a block of A.
inline int64_t partStride(const ProductFormat &format, int64_t blockStride) {
  return blockStride / format.parts;
}

/// Whether a row of so many columns is whole vectors, as far as is known.
bool isWholeVectors(FunctionEmitter &f, const Dim &columns);

/// A block of rows as the microkernel reads A: `a`[k / productBlock][part][row][k % productBlock],
/// rows `format.rowStride`, parts partStride() and k blocks `blockStride` elements apart.
void emitPackRows(FunctionEmitter &f, const ProductFormat &format, mlir::Value a, mlir::Value rows,
                  mlir::Value columns, bool wholeVectors, int64_t blockStride,
                  const RowSource &source);

/// Gives the elements of a row that has several axes: at a run (an index for each axis but the
/// last) and a column of it.
using RunReader = std::function<mlir::Value(llvm::ArrayRef<mlir::Value> run, mlir::Value column,
                                            mlir::Value mask)>;
using RunSource = std::function<RunReader(mlir::Value row)>;

struct RunShape {
  llvm::SmallVector<int64_t> sizes; // of a row's axes: the last one's elements are a run
  int64_t blockStride;              // as of emitPackRows
};

/// As emitPackRows, from rows that are joined of runs.
void emitPackRuns(FunctionEmitter &f, const ProductFormat &format, mlir::Value a, mlir::Value rows,
                  const RunShape &shape, const RunSource &source);

/// `k` rows of at most panelWidth columns as a panel of B: `panel`[k][panelWidth] of float32, or
/// that in pairs of k of bfloat16, in a format of parts one such panel for each, as large as for
/// productBlock rows. Columns beyond `columns` hold anything.
void emitPackPanel(FunctionEmitter &f, const ProductFormat &format, mlir::Value panel,
                   mlir::Value k, mlir::Value columns, const RowSource &source);

/// As ElementEmitter::storeAt, of values that are rounded to the dtype already: what `emit` gives.
void storeRounded(FunctionEmitter &f, ElementEmitter &elements, mlir::Value rounded, DType dtype,
                  mlir::Value pointer, mlir::Value mask);

/// Stores every result of the kernel at coordinates that they all share.
void emitStores(FunctionEmitter &f, Kernel &kernel, ElementEmitter &elements, const Coords &at);

} // namespace kiln::passes
