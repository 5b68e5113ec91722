#include "frontend/CompiledState.h"
#include "frontend/ExportFiles.h"
#include "kiln/Compile.h"
#include "runtime/CompilerLibrary.h"

#include <fmt/format.h>
#include <utility>

namespace kiln::detail {

void exportCompiled(const CompiledState &state, const std::string &path, const std::string &name,
                    const std::source_location &where) {
  auto complete = [&](const std::string &message) {
    return fmt::format("[exportObject] {}{}", withLocations(message, state.locations),
                       atLocation(where));
  };
  if (!state.bound)
    throw CompileError(complete("the model runs on several devices; an object runs on one"));
  // Compiled anew: what runs here has given its code away.
  runtime::CompileResult result = runtime::compileGraph(state.graph, state.request);
  if (result.error != ErrorKind::none)
    throwError(result.error, complete(result.message));
  runtime::ExportedModel model{name, std::move(result.artifact), {}};
  model.artifact.key = state.bound->executable().artifact().key;
  for (runtime::IndexSite &site : model.artifact.indexSites)
    if (!site.location.empty())
      site.message = withLocations(site.message + " (at " + std::exchange(site.location, "") + ")",
                                   state.locations);
  std::vector<std::span<const std::byte>> weights = state.bound->packedWeights();
  for (std::span<const std::byte> weight : weights)
    model.weightBytes.push_back(weight.size());
  try {
    writeExport(model, weights, path, "exportObject");
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, state.locations), "exportObject", where);
    });
  }
}

} // namespace kiln::detail
