#pragma once

#include "frontend/PendingGraph.h"

namespace kiln::detail {

/// The graph with its sizes as numbers. Leaves that `isWeight` says are weights, the others
/// arguments.
ir::Graph staticGraph(const PendingGraph &pending);

/// The graph with a name in the place of every size that the operations leave free, so that it
/// serves other sizes too: see docs/architecture.md, "Eager is the same path". Sizes of weights
/// (right operands of products, tables, norm parameters) stay numbers. Where no such graph is
/// found, the static one.
ir::Graph symbolicGraph(const PendingGraph &pending);

} // namespace kiln::detail
