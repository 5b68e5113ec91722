#include "runtime/aot/Export.h"
#include "frontend/AtomicFile.h"
#include "frontend/CompiledState.h"
#include "kiln/Compile.h"
#include "runtime/CompilerLibrary.h"

#include <filesystem>
#include <fmt/format.h>
#include <utility>

namespace kiln::detail {

static void writeWhole(const std::string &path, const void *bytes, std::size_t count) {
  io::AtomicFile file(path, "exportObject");
  file.write(bytes, count);
  file.commit();
}

/// The packed weights behind what says where they are.
static void writeWeights(const std::string &path, const runtime::ExportedModel &model,
                         const std::vector<std::span<const std::byte>> &weights) {
  std::vector<int64_t> offsets;
  std::vector<std::byte> header = runtime::weightsHeader(model, offsets);
  io::AtomicFile file(path, "exportObject");
  file.write(header.data(), header.size());
  std::size_t at = header.size();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::vector<std::byte> gap(static_cast<std::size_t>(offsets[i]) - at);
    file.write(gap.data(), gap.size());
    file.write(weights[i].data(), weights[i].size());
    at = static_cast<std::size_t>(offsets[i]) + weights[i].size();
  }
  file.commit();
}

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
    runtime::checkExport(model);
  } catch (const Error &) {
    rethrowWith(complete);
  }
  runtime::AssembleResult assembled = runtime::assembleText(runtime::exportedAssembly(model));
  if (!assembled.error.empty())
    throw CompileError(complete(assembled.error));

  auto beside = [&](const char *extension) {
    return (std::filesystem::path(path).parent_path() / (name + extension)).string();
  };
  try {
    std::string header = runtime::exportedHeader(model);
    writeWhole(path, assembled.object.data(), assembled.object.size());
    writeWhole(beside(".h"), header.data(), header.size());
    writeWeights(beside(".weights"), model, weights);
  } catch (const Error &) {
    rethrowWith([&](const std::string &message) { return message + atLocation(where); });
  }
}

} // namespace kiln::detail
