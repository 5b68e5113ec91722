#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// How rows are cut into tiles that are held in registers.
struct TileKinds {
  llvm::ArrayRef<int64_t> rows; // of the kinds there are, largest first, down to 1
  int64_t vectors;              // of sums for each row
  /// Sums that must be on their way at once for the unit to be always busy: what it begins in a
  /// cycle times the cycles that an addition to a sum takes. Tiles with fewer take as long as
  /// these.
  int64_t sumsInFlight;
};

/// Calls `tileAt(row, tile, kind)` for tiles of `kind` rows, from row 0 on: whole ones of the
/// largest kind, then the fastest cut of what is left; no tile computes rows beyond the last.
/// `tile`: the number of the tile. `table`: the name of the constants that say so, one for each
/// TileKinds.
void emitTiles(FunctionEmitter &f, llvm::StringRef table, const TileKinds &kinds, mlir::Value rows,
               llvm::function_ref<void(mlir::Value row, mlir::Value tile, int64_t kind)> tileAt,
               llvm::function_ref<void(mlir::Value tiles)> begin);

/// For each number of rows below twice the largest kind: the tile to begin with (of 0 rows: 0).
llvm::SmallVector<int64_t> firstTiles(const TileKinds &kinds);

} // namespace kiln::passes
