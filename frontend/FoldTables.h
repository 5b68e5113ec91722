#pragma once

#include "ir/Graph.h"

#include <cstddef>
#include <vector>

namespace kiln::detail {

/// A graph that is cut in two: what is computed once, of weights alone, and what each call
/// computes.
struct FoldedTables {
  /// Weights in, folded tables out. Without outputs where nothing folds.
  ir::Graph load;
  std::vector<std::size_t> loadInputs; // the inputs of the whole graph that it takes, in order
  /// The rest: the inputs of the whole graph that it still needs (all arguments among them), then
  /// the folded tables.
  ir::Graph main;
  std::vector<std::size_t> mainInputs;
};

/// Turns f(gather(table, indices)) into gather(f(table), indices), where f treats each row of the
/// table alone, needs nothing else but weights, and has a product with a matrix in it: then all
/// that a call does is to fetch rows of what was made once.
/// f goes on as far as it can: bias, activations, norms, further products.
/// Not where something else reads the rows that were gathered or a value in between.
FoldedTables foldTables(const ir::Graph &graph);

} // namespace kiln::detail
