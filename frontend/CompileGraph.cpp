#include "frontend/CompileGraph.h"

#include "runtime/CompilerLibrary.h"

namespace kiln::detail {

runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request) {
  std::string key = runtime::artifactKey(ir::canonicalText(graph), request);
  return runtime::ArtifactCache::instance().getOrCompile(key, [&] {
    runtime::CompileResult result = runtime::compileGraph(graph, request);
    if (result.error != ErrorKind::none)
      throwError(result.error, result.message);
    return std::move(result.artifact);
  });
}

} // namespace kiln::detail
