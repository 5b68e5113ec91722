#pragma once

#include "passes/cpu/MicrokernelPacking.h"

namespace kiln::passes {

/// `count` rows of k, of `depth` columns, as panels [depth][panelWidth] of keys, one behind the
/// other, or that in pairs of columns: what emitPackPanel does for rows that are columns of a
/// panel.
void emitPackKeys(FunctionEmitter &f, const ProductFormat &format, const Dim &depth,
                  mlir::Value panels, mlir::Value count, const RowSource &source);

} // namespace kiln::passes
