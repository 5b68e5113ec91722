#pragma once

#include "ir/Graph.h"
#include "runtime/Artifact.h"
#include "runtime/ArtifactCache.h"

#include <functional>

namespace kiln::detail {

/// The executable of a graph: from the cache, or from the compiler, which is loaded for the first
/// miss. Errors: what the compiler reports, as its class.
runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request);

/// What the cache knows the graph as.
std::string keyOf(const ir::Graph &graph, const runtime::CompileRequest &request);

/// The same for a graph whose key is known; it is asked for where the cache has it not.
runtime::CachedExecutable compileWithKey(const std::string &key,
                                         const std::function<ir::Graph()> &graph,
                                         const runtime::CompileRequest &request);

} // namespace kiln::detail
