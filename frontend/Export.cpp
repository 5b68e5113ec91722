#include "frontend/CompiledState.h"
#include "frontend/ExportFiles.h"
#include "kiln/Compile.h"
#include "runtime/ArtifactKey.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Unpacking.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace kiln::detail {

/// A weight as the model holds it, in another packing: weights are not kept as they were given.
static std::shared_ptr<const runtime::Buffer>
packedFrom(const runtime::BoundModel &bound, std::size_t input, const runtime::Packing &wanted) {
  const std::vector<runtime::ArtifactInput> &inputs = bound.executable().artifact().inputs;
  std::size_t slot = 0;
  for (std::size_t i = 0; i < input; ++i)
    if (inputs[i].isWeight)
      slot += std::max<std::size_t>(inputs[i].packings.size(), 1);
  std::vector<runtime::Packing> packings = inputs[input].packings;
  if (packings.empty())
    packings.emplace_back();
  auto found = std::ranges::find(packings, wanted);
  if (found != packings.end())
    return bound.packedWeight(slot + static_cast<std::size_t>(found - packings.begin()));
  return runtime::unpacked(*bound.packedWeight(slot), packings.front(), inputs[input].type)
      ->packed(wanted, inputs[input].type, CPU());
}

void exportCompiled(const CompiledState &state, const std::string &path, const std::string &name,
                    const std::vector<std::string> &targets, const std::source_location &where) {
  auto complete = [&](const std::string &message) {
    return fmt::format("[exportObject] {}{}", withLocations(message, state.locations),
                       atLocation(where));
  };
  if (!state.bound)
    throw CompileError(complete("the model runs on several devices; an object runs on one"));
  if (!state.request.chip.empty())
    throw CompileError(complete("the model is for an accelerator; an object runs on a CPU"));
  ExportSource source{name, {}, {}, [&](std::size_t input, const runtime::Packing &packing) {
                        return packedFrom(*state.bound, input, packing);
                      }};
  std::string graphText = ir::canonicalText(state.graph);
  std::vector<std::string> keys;
  for (const std::string &target :
       targets.empty() ? std::vector<std::string>{state.request.target} : targets) {
    runtime::CompileRequest request = state.request;
    request.target = target;
    // Compiled anew: what runs here has given its code away.
    runtime::CompileResult result = runtime::compileGraph(state.graph, request);
    if (result.error != ErrorKind::none)
      throwError(result.error, complete(result.message));
    for (runtime::IndexSite &site : result.artifact.indexSites)
      if (!site.location.empty())
        site.message = withLocations(
            site.message + " (at " + std::exchange(site.location, "") + ")", state.locations);
    source.artifacts.push_back(std::move(result.artifact));
    keys.push_back(runtime::artifactKey(graphText, request));
  }
  source.key = exportKey(keys);
  try {
    writeExport(std::move(source), path, "exportObject");
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) {
      return completed(withLocations(message, state.locations), "exportObject", where);
    });
  }
}

} // namespace kiln::detail
