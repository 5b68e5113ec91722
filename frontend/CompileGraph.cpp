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
  std::vector<PhaseTime> phases;
  auto compile = [&] {
    runtime::CompileResult result = runtime::compileGraph(graph(), request);
    if (result.error != ErrorKind::none)
      throwError(result.error, result.message);
    phases = std::move(result.timings);
    return std::move(result.artifact);
  };
  runtime::CachedExecutable found = runtime::ArtifactCache::instance().getOrCompile(
      key, compile, [&] { return runtime::keyParts(ir::canonicalText(graph()), request); });
  found.phases = std::move(phases);
  return found;
}

runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request) {
  return compileWithKey(keyOf(graph, request), [&] { return graph; }, request);
}

} // namespace kiln::detail
