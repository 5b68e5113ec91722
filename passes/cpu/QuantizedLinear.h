#pragma once

#include "kiln/Quantization.h"
#include "passes/cpu/IntegerRows.h"

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
/// More rows: blocks are decoded into a panel for the microkernel (DecodedPanel.h).

/// Rows of x for which decoding the weights costs more than multiplying their quants.
constexpr int64_t fewRows = 8;

struct QuantizedOperands {
  mlir::Value packed;  // pointer to the first of `columns` packed rows
  mlir::Value columns; // i64: outputs, 1 to panelWidth
};

/// C[rows][columns] = integer rows @ packed rows; C as of the microkernel, with a stride of
/// panelWidth.
void emitQuantizedProduct(FunctionEmitter &f, QuantizationEncoding encoding,
                          const IntegerRows &form, const QuantizedOperands &weights,
                          mlir::Value integerRows, mlir::Value rows, mlir::Value c);

} // namespace kiln::passes
