//===- CompileModel.cpp - A module's text to object, header and weights -------===//

#include "CompileModel.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>

#include "frontend/ExportFiles.h"
#include "ir/Graph.h"
#include "runtime/ArtifactKey.h"
#include "runtime/Buffer.h"
#include "runtime/CompilerLibrary.h"

namespace kiln::tools {

namespace {
using Weights = std::vector<std::shared_ptr<const runtime::Buffer>>;

std::string readWhole(const std::string &path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad() || errno == EISDIR)
    throw IoError(fmt::format("{}: {}", path, std::strerror(errno)));
  return text;
}

/// The contents of the graph's weights, in order, not packed.
Weights findWeights(const ir::Graph &graph, const std::string &path) {
  std::optional<io::SafetensorsFile> file;
  Weights weights;
  for (const ir::Input &input : graph.inputs) {
    if (input.role != ir::Input::Role::weight)
      continue;
    if (path.empty())
      throw ValueError(fmt::format("--weights: the model has weights, the first of them \"{}\" {}",
                                   input.name, input.type.str()));
    if (!file)
      file = io::openSafetensors(path);
    std::optional<Tensor> found = file->find(input.name);
    if (!found)
      throw KeyError(
          fmt::format("{}: there is no weight \"{}\" {}", path, input.name, input.type.str()));
    TensorType got(found->dtype(), found->shape(), CPU());
    if (got != input.type)
      throw ValueError(fmt::format("{}: weight \"{}\": expected {}, got {}", path, input.name,
                                   input.type.str(), got.str()));
    std::span<const std::byte> bytes = found->bytes();
    // Keeps the tensor, and by it the mapped file.
    weights.push_back(runtime::Buffer::foreign(bytes.data(), bytes.size(), [kept = *found] {}));
  }
  return weights;
}

/// As the code reads them: of each a copy for each packing.
Weights packWeights(const runtime::Artifact &artifact, const Weights &weights) {
  Weights packed;
  std::size_t next = 0;
  for (const runtime::ArtifactInput &input : artifact.inputs) {
    if (!input.isWeight)
      continue;
    const runtime::Buffer &buffer = *weights[next++];
    if (input.packings.empty())
      packed.push_back(buffer.packed({}, input.type, CPU()));
    for (const runtime::Packing &packing : input.packings)
      packed.push_back(buffer.packed(packing, input.type, CPU()));
  }
  return packed;
}
} // namespace

void compileModel(const Options &options) {
  ir::Graph graph;
  runtime::parseGraph(readWhole(options.model), options.model, graph);
  const Weights weights = findWeights(graph, options.weights);
  runtime::CompileRequest request;
  request.target = options.target;
  runtime::CompileResult result = runtime::compileGraph(graph, request);
  if (result.error != ErrorKind::none)
    throw CompileError(result.message);
  runtime::ExportedModel model{options.name, std::move(result.artifact), {}};
  model.artifact.key = runtime::artifactKey(ir::canonicalText(graph), request);
  const Weights packed = packWeights(model.artifact, weights);
  std::vector<std::span<const std::byte>> contents;
  for (const auto &buffer : packed) {
    contents.push_back(buffer->bytes());
    model.weightBytes.push_back(buffer->sizeBytes());
  }
  detail::writeExport(model, contents, options.output, "write");
}

} // namespace kiln::tools
