#pragma once

#include "ir/Graph.h"
#include "kiln/Dim.h"

#include <string>
#include <vector>

namespace kiln::test {

/// The sizes of one call and contents that fit them, one for each input of the graph.
struct Case {
  DimBindings bindings;
  std::vector<ir::DenseData> inputs;
};

/// A program with calls of it. Weights have static shapes and are the same in each case.
struct Program {
  ir::Graph graph;
  std::vector<Case> cases;
};

/// A random program: every operation that the frontend can record, in all dtypes, ranks 0 to 5,
/// sizes 0 and 1 among them, names and numbers as dims, special values in one of four, the patterns
/// that the fusions look for. Indices are in bounds and sizes as the operations assume. The same
/// seed gives the same program on every machine.
Program drawProgram(unsigned seed);

/// A copy of the graph with other outputs.
ir::Graph withOutputs(const ir::Graph &graph, std::vector<ir::ValueId> outputs);
/// The ids of all nodes.
std::vector<ir::ValueId> allNodes(const ir::Graph &graph);

} // namespace kiln::test
