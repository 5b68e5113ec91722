#include "frontend/ExportFiles.h"

#include "frontend/AtomicFile.h"
#include "kiln/Error.h"
#include "runtime/CompilerLibrary.h"

#include <filesystem>

namespace kiln::detail {

static void writeWhole(const std::string &path, const void *bytes, std::size_t count,
                       const std::string &operation) {
  io::AtomicFile file(path, operation);
  file.write(bytes, count);
  file.commit();
}

/// The packed weights behind what says where they are.
static void writeWeights(const std::string &path, const runtime::ExportedModel &model,
                         const std::vector<std::span<const std::byte>> &weights,
                         const std::string &operation) {
  std::vector<int64_t> offsets;
  std::vector<std::byte> header = runtime::weightsHeader(model, offsets);
  io::AtomicFile file(path, operation);
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

void writeExport(const runtime::ExportedModel &model,
                 const std::vector<std::span<const std::byte>> &weights, const std::string &path,
                 const std::string &operation) {
  runtime::checkExport(model);
  runtime::AssembleResult assembled = runtime::assembleText(runtime::exportedAssembly(model));
  if (!assembled.error.empty())
    throw CompileError(assembled.error);
  auto beside = [&](const char *extension) {
    return (std::filesystem::path(path).parent_path() / (model.name + extension)).string();
  };
  std::string header = runtime::exportedHeader(model);
  writeWhole(path, assembled.object.data(), assembled.object.size(), operation);
  writeWhole(beside(".h"), header.data(), header.size(), operation);
  writeWeights(beside(".weights"), model, weights, operation);
}

} // namespace kiln::detail
