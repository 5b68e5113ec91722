#pragma once

#include "frontend/PendingGraph.h"
#include "runtime/ArtifactCache.h"

namespace kiln::detail {

/// The executable of a pending graph with its sizes as names (frontend/Symbolise.h): from the
/// cache, or from the compiler. What a graph of these operations, contents and sizes is known as
/// there is remembered: to make names of its sizes and text of it costs more than a small graph
/// itself. Errors: as of compileThroughCache.
runtime::CachedExecutable compilePending(const PendingGraph &pending,
                                         const runtime::CompileRequest &request);

} // namespace kiln::detail
