#include "frontend/CompileGraph.h"

#include "runtime/ArtifactKey.h"
#include "runtime/CompilerLibrary.h"

namespace kiln::detail {

std::string keyOf(const ir::Graph &graph, const runtime::CompileRequest &request) {
  return runtime::artifactKey(ir::canonicalText(graph), request);
}

runtime::CachedExecutable compileWithKey(const std::string &key,
                                         const std::function<ir::Graph()> &graph,
                                         const runtime::CompileRequest &request) {
  auto compile = [&] {
    runtime::CompileResult result = runtime::compileGraph(graph(), request);
    if (result.error != ErrorKind::none)
      throwError(result.error, result.message);
    return std::move(result.artifact);
  };
  return runtime::ArtifactCache::instance().getOrCompile(
      key, compile, [&] { return runtime::keyParts(ir::canonicalText(graph()), request); });
}

runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request) {
  return compileWithKey(keyOf(graph, request), [&] { return graph; }, request);
}

} // namespace kiln::detail
