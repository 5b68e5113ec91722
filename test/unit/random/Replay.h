#pragma once

#include "kiln/kiln.h"
#include "test/unit/random/Program.h"

#include <functional>

/// Programs written down with the public API.
namespace kiln::test {

/// The tensor of a node from those of its operands. `sizes`: what names stand for; null where they
/// stay names, in the scope of a Graph.
Tensor recordNode(const ir::Node &node, const std::vector<Tensor> &operands,
                  const DimBindings *sizes);

Tensor tensorOf(const ir::DenseData &contents);
ir::DenseData contentsOf(const Tensor &tensor);

/// Runs a case eagerly and returns the outputs' contents. `readAt(node)`: whether to read there.
/// `keepsHandles`: whether all tensors are held until the end, or each until its last use.
std::vector<ir::DenseData> runEagerly(const ir::Graph &graph, const Case &one,
                                      const std::function<bool(std::size_t)> &readAt,
                                      bool keepsHandles);

/// Written in the scope of a Graph and compiled for `device`, with names as dims. Weights are taken
/// from a case.
CompiledGraph compileReplay(const ir::Graph &graph, const Case &weights,
                            const CompileOptions &options, Device device = CPU());
/// `device`: what it was compiled for.
std::vector<ir::DenseData> runReplay(const CompiledGraph &compiled, const ir::Graph &graph,
                                     const Case &one, Device device = CPU());

} // namespace kiln::test
