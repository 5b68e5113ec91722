#pragma once

#include "passes/cpu/KernelBuilder.h"

namespace kiln::passes {

/// In a device function: reports a bad index to the KilnIndexRecord (runtime/Abi.h).
void emitDeviceIndexReport(FunctionEmitter &f, int64_t site, mlir::Value index,
                           mlir::Value position, mlir::Value bound);

} // namespace kiln::passes
