#pragma once

#include "kiln/Quantization.h"
#include "passes/cpu/Microkernel.h"

namespace kiln::passes {

/// Products of float32 rows with packed rows (kiln/Quantization.h) that are never decoded as a
/// whole. Each is one helper function per module and encoding.
///
/// Few rows of x: rows of x as integers, of *words* signed bytes each and one scale for 32 of them,
/// are multiplied with the quants as they are (vpdpbusd, or what comes next to it); the sums of 32
/// (16) products are exact, and are scaled in float32. Three words hold x to 2^-24 of the largest
/// number of the 32, as close as float32 itself. One word is the option of int8 activations: 1/254
/// of the largest.
///
/// More rows: blocks are decoded into a panel for the microkernel, bit for bit as
/// `kiln.dequantize`.

/// Rows of x for which decoding the weights costs more than multiplying their quants.
constexpr int64_t fewRows = 8;

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

struct QuantizedOperands {
  mlir::Value packed;  // pointer to the first of `columns` packed rows
  mlir::Value columns; // i64: outputs, 1 to panelWidth
};

/// C[rows][columns] = integer rows @ packed rows; C as of the microkernel, with a stride of
/// panelWidth.
void emitQuantizedProduct(FunctionEmitter &f, QuantizationEncoding encoding,
                          const IntegerRows &form, const QuantizedOperands &weights,
                          mlir::Value integerRows, mlir::Value rows, mlir::Value c);

/// Bytes of scratch memory of emitDecodedPanel: the panel, and room to turn it.
int64_t decodedPanelBytes(const CpuTarget &target);
/// k [block * productBlock, ...) of packed rows as a panel of B (Microkernel.h) at `panel`; what
/// belongs to columns that are not there are copies of others.
void emitDecodedPanel(FunctionEmitter &f, QuantizationEncoding encoding, int64_t columns,
                      const QuantizedOperands &weights, mlir::Value block, mlir::Value panel);

} // namespace kiln::passes
