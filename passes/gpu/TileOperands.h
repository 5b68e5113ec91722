#pragma once

#include "passes/gpu/DeviceKernel.h"
#include "passes/gpu/ProductTile.h"

namespace kiln::passes {

/// A row of an operand that lies in memory: its address, and whether (i1) it is there. Called
/// where the row may be behind the last one: then the address may be that of any row.
struct RowPlace {
  mlir::Value address, isThere;
};

/// Rows in memory in the product's dtype, of `depth` elements that make whole chunks: copied
/// asynchronously.
TileOperand rowsInMemory(FunctionEmitter &f, DType dtype, const Dim &depth,
                         std::function<RowPlace(mlir::Value row)> place);

/// Rows of 16-bit elements in tiles of 128 bytes of k, whose chunks lie where their number xor the
/// row's says (runtime::Packing's tiles): `place(number)` is where a row's part of the first tile
/// begins, `tileBytes` from that of the next.
TileOperand rowsInTiles(FunctionEmitter &f, DType dtype, int64_t depth, int64_t tileBytes,
                        mlir::Value firstRow, mlir::Value rows,
                        std::function<mlir::Value(mlir::Value number)> place);

/// Rows that are computed: `element(row, column)` gives a vector of f.lanes() elements in the
/// compute type of `from`, or a single one where f.lanes() is 1; `rows`: how many there are.
TileOperand computedRows(FunctionEmitter &f, DType from, DType dtype, const Dim &depth,
                         mlir::Value firstRow, mlir::Value rows,
                         std::function<mlir::Value(mlir::Value row, mlir::Value column)> element);

/// A matrix [depth, columns] in memory at `matrix`, in the product's dtype, whose rows are whole
/// chunks; from `firstColumn` on. It is an operand that lies across.
TileOperand matrixInMemory(FunctionEmitter &f, DType dtype, const Dim &depth, const Dim &columns,
                           mlir::Value matrix, mlir::Value firstColumn);
/// The same of elements that are computed, as computedRows has them: `element(k, column)`.
TileOperand computedMatrix(FunctionEmitter &f, DType from, DType dtype, const Dim &depth,
                           const Dim &columns, mlir::Value firstColumn,
                           std::function<mlir::Value(mlir::Value k, mlir::Value column)> element);
/// Whether rows of so many elements are known to be whole chunks.
bool isWholeChunks(const Dim &elements, DType dtype);

} // namespace kiln::passes
