//===- Cases.cpp - What kiln-bench measures -----------------------------------===//

#include "Cases.h"

#include <memory>

#include "tools/common/InterpretModule.h"
#include "tools/common/Weights.h"
#include "tools/common/minilm/LoadEncoder.h"

namespace kiln::tools {

namespace {
using Path = std::filesystem::path;

/// The size of an axis of a tensor in `file`.
int64_t sizeIn(const io::SafetensorsFile &file, const std::string &name, int64_t axis) {
  const auto tensor = file.find(name);
  if (!tensor || tensor->rank() <= axis)
    throw KeyError("the weights have no " + name + " of the expected rank");
  return tensor->shape()[axis].value();
}

/// The type of an input with symbolic sizes, but for the last if it is given.
TensorType inputType(DType dtype, int64_t rank, Device device, std::optional<int64_t> last = {}) {
  std::vector<Dim> dims;
  for (int64_t axis = 0; axis < rank; ++axis)
    dims.push_back(Dim("d" + std::to_string(axis)));
  if (last)
    dims.back() = *last;
  return TensorType(dtype, Shape(dims), device);
}

/// For a model of one input: loads the weights of `file`, and compiles for x of dtype `input` whose
/// last size is `last`.
template <class Model>
LoadedCase oneInput(Model model, const io::SafetensorsFile &file, DType dtype, Device device,
                    DType input, std::optional<int64_t> last) {
  model.loadStateDict(file);
  roundWeights(model, dtype);
  model.to(device);
  auto shared = std::make_shared<Model>(std::move(model));
  auto compile = [=](int64_t rank) -> Program {
    auto compiled =
        std::make_shared<decltype(shared->compile(inputType(input, rank, device, last)))>(
            shared->compile(compileOptions(), inputType(input, rank, device, last)));
    return {[=](const std::vector<Tensor> &x) { return (*compiled)(x.at(0)); },
            [=] { return compiled->stats(); }};
  };
  return {compile,
          [=](const std::vector<Tensor> &x) { return interpretInFloat64(*shared, x.at(0)); }};
}

LoadedCase loadLinear(const Path &path, DType dtype, Device device) {
  const auto file = io::openSafetensors(path);
  const int64_t in = sizeIn(file, "weight", 1), out = sizeIn(file, "weight", 0);
  return oneInput(nn::Linear(in, out), file, dtype, device, dtype, in);
}

LoadedCase loadMlp(const Path &path, DType dtype, Device device) {
  const auto file = io::openSafetensors(path);
  const int64_t in = sizeIn(file, "0.weight", 1), hidden = sizeIn(file, "0.weight", 0);
  const int64_t out = sizeIn(file, "2.weight", 0);
  return oneInput(nn::Sequential(nn::Linear(in, hidden), nn::GELU(), nn::Linear(hidden, out)), file,
                  dtype, device, dtype, in);
}

LoadedCase loadGatherLinear(const Path &path, DType dtype, Device device) {
  const auto file = io::openSafetensors(path);
  const int64_t vocabulary = sizeIn(file, "0.weight", 0), in = sizeIn(file, "0.weight", 1);
  const int64_t out = sizeIn(file, "1.weight", 0);
  return oneInput(nn::Sequential(nn::Embedding(vocabulary, {.dim = in}), nn::Linear(in, out)), file,
                  dtype, device, DType::int64, std::nullopt);
}

LoadedCase loadLayerNorm(const Path &path, DType dtype, Device device) {
  const auto file = io::openSafetensors(path);
  const int64_t size = sizeIn(file, "weight", 0);
  return oneInput(nn::LayerNorm(size), file, dtype, device, dtype, size);
}

/// Filters of odd sizes are padded to keep the image's size; of even ones they cut it into patches.
LoadedCase loadConv2d(const Path &path, DType dtype, Device device) {
  const auto file = io::openSafetensors(path);
  const int64_t height = sizeIn(file, "weight", 0), width = sizeIn(file, "weight", 1);
  const int64_t in = sizeIn(file, "weight", 2), out = sizeIn(file, "weight", 3);
  const bool keepsSize = height % 2 == 1;
  nn::Conv2dOptions options;
  if (keepsSize)
    options.padding = {height / 2, width / 2};
  else
    options.stride = {height, width};
  return oneInput(nn::Conv2d(in, out, {height, width}, options), file, dtype, device, dtype, in);
}

LoadedCase loadMinilm(const Path &path, DType dtype, Device device) {
  const BertConfig config = configFromWeights(path);
  auto encoder = std::make_shared<SentenceEncoder>(loadEncoder(path, config, dtype));
  encoder->to(device);
  auto compile = [=](int64_t rank) -> Program {
    const TensorType type = inputType(DType::int64, rank, device);
    CompileOptions options = compileOptions();
    options.constraints = {type.shape[rank - 1].between(1, config.positions)};
    auto compiled = std::make_shared<decltype(encoder->compile(options, type, type))>(
        encoder->compile(options, type, type));
    return {[=](const std::vector<Tensor> &x) { return (*compiled)(x.at(0), x.at(1)); },
            [=] { return compiled->stats(); }};
  };
  return {compile, [=](const std::vector<Tensor> &x) {
            return interpretInFloat64(*encoder, x.at(0), x.at(1));
          }};
}
} // namespace

CompileOptions &compileOptions() {
  static CompileOptions options;
  return options;
}

const std::vector<Case> &benchCases() {
  static const std::vector<Case> cases = {
      {"linear", "x @ W.T + b", loadLinear, 2},
      {"mlp", "Linear, GELU (erf), Linear", loadMlp, 2},
      {"gather_linear", "Embedding, Linear", loadGatherLinear, 2},
      {"layer_norm", "LayerNorm, epsilon 1e-5", loadLayerNorm, 2},
      {"conv2d", "Conv2d, NHWC: same size for odd filters, patches for even ones", loadConv2d, 4},
      {"minilm", "sentence encoder all-MiniLM-L6-v2", loadMinilm, 2},
  };
  return cases;
}

const Case &findCase(const std::string &name) {
  std::string names;
  for (const Case &candidate : benchCases()) {
    if (candidate.name == name)
      return candidate;
    names += (names.empty() ? "" : ", ") + std::string(candidate.name);
  }
  throw KeyError("no case \"" + name + "\"; there are: " + names);
}

} // namespace kiln::tools
