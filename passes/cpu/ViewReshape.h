#pragma once

#include "passes/cpu/ElementEmitter.h"

namespace kiln::passes {

/// How a reshape is read at coordinates: see findViewEmitter.
mlir::Value emitReshape(ElementEmitter &elements, FunctionEmitter &f, mlir::Operation *op,
                        const Coords &at);

} // namespace kiln::passes
