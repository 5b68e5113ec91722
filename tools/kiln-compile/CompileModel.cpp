//===- CompileModel.cpp - A module's text to object, header and weights -------===//

#include "CompileModel.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <kiln/kiln.h>

#include "frontend/ExportFiles.h"
#include "ir/Graph.h"
#include "runtime/ArtifactKey.h"
#include "runtime/Buffer.h"
#include "runtime/CompilerLibrary.h"
#include "tools/common/PhaseTable.h"

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
} // namespace

void compileModel(const Options &options) {
  ir::Graph graph;
  runtime::parseGraph(readWhole(options.model), options.model, graph);
  const Weights weights = findWeights(graph, options.weights);
  std::vector<const runtime::Buffer *> ofInput;
  for (std::size_t i = 0, next = 0; i < graph.inputs.size(); ++i) {
    bool isWeight = graph.inputs[i].role == ir::Input::Role::weight;
    ofInput.push_back(isWeight ? weights[next++].get() : nullptr);
  }
  detail::ExportSource source{
      options.name, {}, {}, [&](std::size_t input, const runtime::Packing &packing) {
        return ofInput[input]->packed(packing, graph.inputs[input].type, CPU());
      }};
  const std::string graphText = ir::canonicalText(graph);
  std::vector<std::string> keys;
  for (const std::string &target : options.targets) {
    runtime::CompileRequest request;
    request.target = target;
    runtime::CompileResult result = runtime::compileGraph(graph, request);
    if (result.error != ErrorKind::none)
      throw CompileError(result.message);
    if (options.timing)
      fmt::print(stderr, "{}", phaseTable(result.timings));
    source.artifacts.push_back(std::move(result.artifact));
    keys.push_back(runtime::artifactKey(graphText, request));
  }
  source.key = detail::exportKey(keys);
  detail::writeExport(std::move(source), options.output, "write");
}

} // namespace kiln::tools
