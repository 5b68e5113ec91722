#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// Transposes as many vectors of words (32 bits) as a vector has lanes: element j of vector i
/// becomes element i of vector j. In registers, by shuffles within 128 bits first, which are the
/// cheapest.
void emitTranspose(FunctionEmitter &f, llvm::MutableArrayRef<mlir::Value> vectors);

} // namespace kiln::passes
