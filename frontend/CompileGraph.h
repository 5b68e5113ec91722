#pragma once

#include "ir/Graph.h"
#include "runtime/Artifact.h"
#include "runtime/ArtifactCache.h"

namespace kiln::detail {

/// The executable of a graph: from the cache, or from the compiler, which is loaded for the first
/// miss. Errors: what the compiler reports, as its class.
runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request);

} // namespace kiln::detail
