#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// Functions of float64, scalars or vectors: calls of the C library through KilnRuntime::math, lane
/// after lane. Accurate rather than fast; VectorMath has the functions of float32.
/// `op` is a name of ir/Elementwise.def. Null if it is no such function (arithmetic, rounding,
/// sqrt).
mlir::Value emitDoubleMath(FunctionEmitter &f, llvm::StringRef op, mlir::ValueRange operands);

} // namespace kiln::passes
