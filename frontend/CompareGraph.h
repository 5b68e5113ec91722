#pragma once

#include "ir/Graph.h"
#include "kiln/Compare.h"
#include "runtime/Buffer.h"

#include <functional>

namespace kiln::detail {

/// Runs a graph on contents of all its inputs; errors are thrown.
using GraphRunner = std::function<std::vector<runtime::TensorValue>(
    const ir::Graph &graph, const std::vector<runtime::TensorValue> &inputs)>;

/// Through the cache and the compiler. `devices`: those over which inputs with a `shardAxis` are
/// split; null if there are none.
GraphRunner compiledRunner(const CompileOptions &options,
                           std::shared_ptr<const std::vector<Device>> devices = nullptr);

/// What `compare` does, with anything in the place of the compiler. `location` of the result is
/// that of the graph's node.
Comparison compareGraph(const ir::Graph &graph, const std::vector<runtime::TensorValue> &inputs,
                        std::optional<double> tolerance, const GraphRunner &run);

} // namespace kiln::detail
