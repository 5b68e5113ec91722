//===- LoadEncoder.cpp - A sentence encoder with its weights ------------------===//

#include "LoadEncoder.h"

#include <map>
#include <string>

#include "tools/common/Weights.h"

namespace kiln::tools {

namespace {
/// What the published files hold beside the parameters of a SentenceEncoder.
bool isUnused(const std::string &name) {
  return name == "embeddings.position_ids" || name.starts_with("pooler.");
}

/// The shape of a matrix in `file`.
Shape matrixShape(const io::SafetensorsFile &file, const std::string &name) {
  const auto tensor = file.find(name);
  if (!tensor)
    throw KeyError("[model] the weights have no " + name);
  if (tensor->rank() != 2)
    throw ValueError("[model] " + name + " is not a matrix");
  return tensor->shape();
}
} // namespace

SentenceEncoder loadEncoder(const std::filesystem::path &file, const BertConfig &config,
                            DType dtype) {
  const auto weights = io::openSafetensors(file);
  std::map<std::string, Tensor> state;
  for (const std::string &name : weights.keys())
    if (!isUnused(name))
      state.emplace(name, *weights.find(name));
  SentenceEncoder encoder(config);
  encoder.loadStateDict(state);
  for (auto &[name, module] : encoder.descendants())
    if (auto *linear = module.as<nn::Linear>())
      roundWeights(*linear, dtype);
  return encoder;
}

BertConfig configFromWeights(const std::filesystem::path &file) {
  const auto weights = io::openSafetensors(file);
  auto size = [&](const std::string &name, int axis) {
    return matrixShape(weights, name)[axis].value();
  };
  BertConfig config;
  config.vocabulary = size("embeddings.word_embeddings.weight", 0);
  config.hidden = size("embeddings.word_embeddings.weight", 1);
  config.positions = size("embeddings.position_embeddings.weight", 0);
  config.segments = size("embeddings.token_type_embeddings.weight", 0);
  config.intermediate = size("encoder.layer.0.intermediate.dense.weight", 0);
  config.layers = 0;
  while (weights.find("encoder.layer." + std::to_string(config.layers) + ".output.dense.weight"))
    ++config.layers;
  if (config.hidden % config.heads != 0)
    throw ValueError("[model] the hidden size is no multiple of " + std::to_string(config.heads));
  return config;
}

} // namespace kiln::tools
