#pragma once

#include "passes/cpu/Microkernel.h"

namespace kiln::passes {

/// The product of Microkernel.h for bfloat16 operands and float32 sums, by AMX: operands lie as
/// those of MicrokernelPairs.h, whose rows and panels are what tiles read.
///
/// - k: its whole steps of tileDepth only; the rest is for the product of pairs.
/// - A and C have memory for a multiple of tileRowGranule rows.
/// - Subnormal operands and sums count as zeros: the instructions have it so.
/// - The caller has configured the tiles (TileOps).
inline constexpr int64_t tileDepth = 32, tileRowGranule = 16;

void emitTileProduct(FunctionEmitter &f, const ProductOperands &operands);

} // namespace kiln::passes
