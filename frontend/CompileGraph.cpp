#include "frontend/CompileGraph.h"

#include "runtime/ArtifactKey.h"
#include "runtime/CompilerLibrary.h"

namespace kiln::detail {

runtime::CachedExecutable compileThroughCache(const ir::Graph &graph,
                                              const runtime::CompileRequest &request) {
  std::string text = ir::canonicalText(graph);
  std::string key = runtime::artifactKey(text, request);
  auto compile = [&] {
    runtime::CompileResult result = runtime::compileGraph(graph, request);
    if (result.error != ErrorKind::none)
      throwError(result.error, result.message);
    return std::move(result.artifact);
  };
  return runtime::ArtifactCache::instance().getOrCompile(
      key, compile, [&] { return runtime::keyParts(text, request); });
}

} // namespace kiln::detail
