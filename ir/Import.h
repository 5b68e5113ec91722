#pragma once

#include "ir/Graph.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace kiln::ir {

/// A module with `func.func @main` that computes the graph, operation by operation, and a private
/// function for each definition of its segments, which are calls in @main. Knows no operation:
/// names, attributes and types are those of the nodes. The context has the kiln and func dialects
/// loaded. The module is not verified.
mlir::OwningOpRef<mlir::ModuleOp> importGraph(const Graph &graph, mlir::MLIRContext &context);

} // namespace kiln::ir
