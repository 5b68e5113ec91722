#pragma once

#include "frontend/PendingGraph.h"

#include <map>

namespace kiln::detail {

/// Names of sizes that are no dim of an argument. Those that a `rebind` introduces stand for what
/// the dim was before: that is put in their place everywhere in the graph, and what remains of the
/// constraints that this decides is dropped.
/// Returns what the names stand for.
/// Errors: ValueError for any other name, with the place of its use, and for a rebind that cannot
/// hold.
using SizeNames = std::map<std::string, Dim, std::less<>>;
SizeNames resolveNames(ir::Graph &graph, const PendingGraph &pending, const std::string &model);

} // namespace kiln::detail
