#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// A row of x as integers in memory: for each 64 elements `words` times 64 bytes, the most
/// significant first; behind them, in float32, the scales of 32, the sums of 32 and, if a weight
/// wants them, the sums of 16.
struct IntegerRows {
  int64_t columns = 0; // K
  int64_t words = 3;
  bool sumsOf16 = false;

  int64_t groups() const { return columns / 32; }
  int64_t scalesAt() const { return (columns + 63) / 64 * 64 * words; }
  int64_t sumsAt() const { return scalesAt() + groups() * 4; }
  int64_t shortSumsAt() const { return sumsAt() + groups() * 4; }
  int64_t bytes() const {
    int64_t end = shortSumsAt() + (sumsOf16 ? groups() * 8 : 0);
    return (end + 63) / 64 * 64 + 64; // a line more: rows do not share cache sets
  }
};

/// Rows as the microkernel reads A (emitPackRows) to `target`. Returns an i1: whether all numbers
/// could be held (finite, and not too small or large for their scales).
mlir::Value emitIntegerRows(FunctionEmitter &f, const IntegerRows &form, mlir::Value a,
                            int64_t blockStride, mlir::Value rows, mlir::Value target);

/// The first word of the group of 32 elements number `group` of the row at `row`; the next words
/// are 64 bytes apart.
mlir::Value emitWordsOf(FunctionEmitter &f, const IntegerRows &form, mlir::Value row,
                        mlir::Value group);

} // namespace kiln::passes
