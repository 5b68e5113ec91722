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

/// Calls `tileAt(row, kind)` for tiles of `kind` rows, from row 0 on: whole ones of the
/// largest kind, then the fastest cut of what is left; no tile computes rows beyond the last.
/// `tile`: the number of the tile. `table`: the name of the constants that say so, one for each
/// TileKinds.
void emitTiles(FunctionEmitter &f, llvm::StringRef table, const TileKinds &kinds, mlir::Value rows,
               llvm::function_ref<void(mlir::Value row, int64_t kind)> tileAt);

/// A constant of `elements` float32 zeros, for tiles to add to.
mlir::Value emitZeroRow(FunctionEmitter &f, llvm::StringRef name, int64_t elements);

/// Rows in memory: the first one, and the bytes from one to the next.
struct StridedRows {
  mlir::Value first, strideBytes;
};
/// The end of a tile: to = from + sums, `sum(row, vector)`.
void emitTileEnd(FunctionEmitter &f, int64_t rows, int64_t vectors, StridedRows to,
                 StridedRows from,
                 llvm::function_ref<mlir::Value(int64_t row, int64_t vector)> sum);

/// What tiles fetch of the panel behind the one that they multiply: each its share, as several that
/// read one panel from the caches nearby hide from the processor that the next one is wanted.
class PanelAhead {
public:
  /// `panel`: a pointer to the panel at hand, `steps` of `stepBytes`; those `distance` steps ahead
  /// are fetched, which is the most that one call multiplies: then nothing is left out where calls
  /// have different numbers of steps.
  PanelAhead(FunctionEmitter &f, mlir::Value panel, mlir::Value steps, int64_t stepBytes,
             int64_t distance, mlir::Value rows);
  struct Share {
    mlir::Value start, stepBytes; // what each step fetches with emitFetch
  };
  Share of(mlir::Value row, int64_t tileRows) const;
  /// Fetches two lines: all of a step's share unless the tile is alone, and the processor sees well
  /// what comes next. One where a step has no more, and for tiles of one and two rows, which wait
  /// for loads as it is.
  static void emitFetch(FunctionEmitter &f, mlir::Value place, int64_t tileRows, int64_t stepBytes);

private:
  FunctionEmitter &f;
  mlir::Value next, steps, perRow; // bytes of a step for each row, in 1 / 2^16
};

/// For each number of rows below twice the largest kind: the tile to begin with (of 0 rows: 0).
llvm::SmallVector<int64_t> firstTiles(const TileKinds &kinds);

} // namespace kiln::passes
