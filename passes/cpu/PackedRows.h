#pragma once

#include "passes/cpu/Kernels.h"

/// What kernels do for rows of packed blocks beside decoding them (Dequantize.cpp): they are walked
/// in pieces that share scales, and fetched ahead.
namespace kiln::passes {

/// Columns [first, first + count) of a row of `columns`, in vectors: `body(column, mask)`, mask
/// null for whole vectors. Where the kernel decodes packed rows, unrolled over a block of them, or
/// over a unit where that would be too much code.
void emitColumnLoop(FunctionEmitter &f, Kernel &kernel, const Dim &columns, mlir::Value first,
                    mlir::Value count,
                    llvm::function_ref<void(mlir::Value column, mlir::Value mask)> body);

/// Fetches the packed rows that are looked up a little later than row number `row` of `outer`: they
/// are too short for the processor to notice that they are read from their start to their end.
void emitPrefetch(FunctionEmitter &f, Kernel &kernel, mlir::ArrayRef<Dim> outer, mlir::Value row);

} // namespace kiln::passes
