#pragma once

#include "frontend/DimSolver.h"
#include "frontend/PendingGraph.h"

namespace kiln::detail {

using Dims = std::vector<Dim>;

/// What a node's sizes are in names: its result, and those that stand in its attributes.
struct SymbolicNode {
  Dims result;
  std::vector<std::pair<std::string, Dims>> attributes;
};

/// Works out one node: unifies what its operation wants equal, and re-expresses its result and its
/// attributes. `sizes`: those of the result as recorded.
SymbolicNode symboliseNode(DimSolver &solver, const Node &node, const std::vector<Dims> &operands,
                           const std::vector<int64_t> &sizes);

/// The dims of a reshape's result: groups of dims with equal products are matched from the left,
/// and behind a dim that was given as -1 (`inferredAxis`, or -1) from the right.
Dims matchReshape(DimSolver &solver, const Dims &from, const std::vector<int64_t> &to,
                  int64_t inferredAxis);

} // namespace kiln::detail
