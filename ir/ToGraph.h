#pragma once

#include "ir/Graph.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/LogicalResult.h"

namespace kiln::ir {

/// What importGraph makes of a graph, as that graph again: @main, whose calls of the module's other
/// functions become segments. A node's location is its place in the text, `encoder.mlir:12`.
/// The module is verified and runs on one device. Errors are reported where they stand.
llvm::LogicalResult toGraph(mlir::ModuleOp module, Graph &graph);

} // namespace kiln::ir
