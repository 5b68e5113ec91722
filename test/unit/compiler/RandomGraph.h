#pragma once

#include "ir/Graph.h"
#include "ir/HostTensor.h"

#include <random>

namespace kiln::test {

/// A random program with inputs that fit it: every operation in some legal form, elementwise
/// operations with broadcasting, views, reductions, products, norms, gathers with good indices,
/// ranks 0 to 4, sizes 0 and 1, names and numbers as dims.
struct RandomGraph {
  ir::Graph graph;
  std::vector<ir::HostTensor> inputs;
  DimBindings bindings;
};

RandomGraph drawGraph(unsigned seed);

/// A copy of the graph whose outputs are all of its nodes.
ir::Graph withAllOutputs(const ir::Graph &graph);

} // namespace kiln::test
