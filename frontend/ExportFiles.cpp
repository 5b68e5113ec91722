#include "frontend/ExportFiles.h"

#include "frontend/AtomicFile.h"
#include "kiln/Error.h"
#include "runtime/ArtifactKey.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/aot/Export.h"
#include "runtime/cpu/HostCpu.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <utility>

namespace kiln::detail {

namespace {

using Weights = std::vector<std::shared_ptr<const runtime::Buffer>>;

/// The most features first; each target once.
void sortImages(std::vector<runtime::Artifact> &artifacts) {
  auto numFeatures = [](const runtime::Artifact &artifact) {
    return std::popcount(runtime::parseTarget(artifact.target).features.toBits());
  };
  std::ranges::sort(artifacts, [&](const auto &a, const auto &b) {
    return std::pair(numFeatures(a), a.target) > std::pair(numFeatures(b), b.target);
  });
  auto [first, last] = std::ranges::unique(artifacts, {}, &runtime::Artifact::target);
  artifacts.erase(first, last);
}

/// Finds each image's weights in `weights`, or adds them.
void packWeights(runtime::ExportedModel &model, const ExportSource &source, Weights &weights) {
  std::vector<std::pair<std::size_t, runtime::Packing>> known; // of each weight
  for (runtime::ExportedImage &image : model.images)
    for (std::size_t i = 0; i < image.artifact.inputs.size(); ++i) {
      const runtime::ArtifactInput &input = image.artifact.inputs[i];
      std::vector<runtime::Packing> packings = input.packings;
      if (packings.empty())
        packings.emplace_back();
      for (const runtime::Packing &packing : packings) {
        if (!input.isWeight)
          continue;
        auto found = std::ranges::find(known, std::pair(i, packing));
        image.weights.push_back(static_cast<std::size_t>(found - known.begin()));
        if (found != known.end())
          continue;
        known.emplace_back(i, packing);
        weights.push_back(source.pack(i, packing));
        model.weightBytes.push_back(weights.back()->sizeBytes());
      }
    }
}

void writeWhole(const std::string &path, const void *bytes, std::size_t count,
                const std::string &operation) {
  io::AtomicFile file(path, operation);
  file.write(bytes, count);
  file.commit();
}

/// The packed weights behind what says where they are.
void writeWeights(const std::string &path, const runtime::ExportedModel &model,
                  const Weights &weights, const std::string &operation) {
  std::vector<int64_t> offsets;
  std::vector<std::byte> header = runtime::weightsHeader(model, offsets);
  io::AtomicFile file(path, operation);
  file.write(header.data(), header.size());
  std::size_t at = header.size();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::vector<std::byte> gap(static_cast<std::size_t>(offsets[i]) - at);
    file.write(gap.data(), gap.size());
    file.write(weights[i]->data(), weights[i]->sizeBytes());
    at = static_cast<std::size_t>(offsets[i]) + weights[i]->sizeBytes();
  }
  file.commit();
}

} // namespace

void writeExport(ExportSource source, const std::string &path, const std::string &operation) {
  sortImages(source.artifacts);
  runtime::ExportedModel model{source.name, {}, source.key, {}};
  for (runtime::Artifact &artifact : source.artifacts)
    model.images.push_back({std::move(artifact), {}});
  runtime::checkExport(model);
  Weights weights;
  packWeights(model, source, weights);
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

std::string exportKey(const std::vector<std::string> &keys) {
  std::vector<std::string_view> parts(keys.begin(), keys.end());
  return keys.size() == 1 ? keys.front() : runtime::hashKey(parts);
}

} // namespace kiln::detail
