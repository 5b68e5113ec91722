#pragma once

#include "ir/Graph.h"
#include "kiln/Compare.h"
#include "runtime/Buffer.h"

#include <functional>

namespace kiln::detail {

/// Runs a graph on contents of all its inputs; errors are thrown.
using GraphRunner = std::function<std::vector<runtime::TensorValue>(
    const ir::Graph &graph, const std::vector<runtime::TensorValue> &inputs)>;

/// Through the cache and the compiler.
GraphRunner compiledRunner(const CompileOptions &options);

/// What `compare` does, with anything in the place of the compiler. `location` of the result is
/// that of the graph's node.
Comparison compareGraph(const ir::Graph &graph, const std::vector<runtime::TensorValue> &inputs,
                        std::optional<double> tolerance, const GraphRunner &run);

} // namespace kiln::detail
