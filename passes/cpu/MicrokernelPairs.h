#pragma once

#include "passes/cpu/Microkernel.h"

namespace kiln::passes {

/// The product of Microkernel.h for bfloat16 operands and float32 sums, by vdpbf16ps, which adds
/// the products of two neighbouring k to each lane: twice the products of a multiply-add.
///
/// - A: bfloat16 rows in worker scratch, `pairRowStride` elements apart. Behind an odd k a zero.
/// - B: a panel [(k + 1) / 2][pairPanelWidth][2] of bfloat16, zeros behind an odd k
///   (runtime::Packing's pairs).
/// - C: as there.
/// - Subnormal operands and sums count as zeros: the instruction has it so.

/// Elements between rows of A: a block and one cache line.
constexpr int64_t pairRowStride = productBlock + 32;

/// Columns of a panel: four vectors of sums, so that one row alone keeps four sums going at once
/// (each takes 5 to 6 cycles), and streams its panel as fast as the outer caches give it.
constexpr int64_t pairPanelWidth = 64;

/// `halfPanel`: only the first half of each row of B and C is computed.
void emitPairProduct(FunctionEmitter &f, const ProductOperands &operands, bool halfPanel = false);

/// A vector of float32 as bfloat16, rounded to nearest even; subnormals may become zeros.
mlir::Value emitToBFloat16(FunctionEmitter &f, mlir::Value x);
/// The same, as float32 again.
mlir::Value emitRoundedToBFloat16(FunctionEmitter &f, mlir::Value x);

} // namespace kiln::passes
