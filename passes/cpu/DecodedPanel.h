#pragma once

#include "passes/cpu/Microkernel.h"
#include "passes/cpu/QuantizedLinear.h"

namespace kiln::passes {

/// Bytes of scratch memory of emitDecodedPanel: the panel, and room to turn it.
int64_t decodedPanelBytes(const CpuTarget &target);
/// k [block * productBlock, ...) of packed rows as a panel of B (Microkernel.h) at `panel`; what
/// belongs to columns that are not there are copies of others. Bit for bit as `kiln.dequantize`.
void emitDecodedPanel(FunctionEmitter &f, QuantizationEncoding encoding, int64_t columns,
                      const QuantizedOperands &weights, mlir::Value block, mlir::Value panel);

} // namespace kiln::passes
