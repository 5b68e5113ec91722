#pragma once

#include "passes/cpu/ProductFormat.h"

namespace kiln::passes {

/// What the cut of a linear's work depends on at compile time.
struct LinearSizes {
  int64_t columns = 0;       // K
  int64_t blocks = 0;        // of productBlock in K
  int64_t maxRows = 0;       // of a row block: see linearBlockRows
  int64_t panels = 0;        // of all weights, those of a group counted once
  int64_t outputColumns = 0; // N of all weights
  int64_t panelWidth = 0;
  int64_t granule = rowGranule; // of the memory for rows of a block
  /// Blocks of rows are multiples of this but for the last: what tiles take without rows for
  /// nothing.
  int64_t evenRows = 4;
};

/// Rows of x that are copied at once, a multiple of the format's granule: as many as keep the copy
/// within part of L2 (1 MiB on the smallest CPU that Kiln is tuned for); where weights are decoded
/// anew for each block of rows, more.
int64_t linearBlockRows(int64_t blocks, const ProductFormat &format, bool decodes);

/// How the launcher cuts the work, in i64 values: tasks are rowBlocks * chunks, the chunks of a row
/// block one behind the other. Both are cut as evenly as granules of rows and panels allow
/// (rowsOfBlock, panelsOfChunk).
struct LinearGrid {
  mlir::Value rowBlocks, chunks;
  mlir::Value parallel; // i1: worth waking other threads
};

/// `wholeRows`: prefer row blocks over all of N, so that a row is finished by the task that began
/// it.
LinearGrid emitLinearGrid(FunctionEmitter &f, const LinearSizes &sizes, mlir::Value rows,
                          bool wholeRows);

struct Part {
  mlir::Value first, end;
};
/// The rows of a block, whole granules but for the last.
Part emitRowsOfBlock(FunctionEmitter &f, const LinearSizes &sizes, mlir::Value rows,
                     mlir::Value rowBlocks, mlir::Value block);
/// The panels of a chunk.
Part emitPanelsOfChunk(FunctionEmitter &f, const LinearSizes &sizes, mlir::Value chunks,
                       mlir::Value chunk);

} // namespace kiln::passes
