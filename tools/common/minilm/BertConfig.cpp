//===- BertConfig.cpp - The sizes of a BERT model -----------------------------===//

#include "BertConfig.h"

#include "tools/common/Json.h"

namespace kiln::tools {

BertConfig BertConfig::load(const std::filesystem::path &file) {
  const nlohmann::json root = readJson(file);
  auto refuse = [&](const std::string &what) {
    throw ValueError("[model] " + file.string() + ": " + what);
  };
  auto size = [&](const char *key) {
    // A bound on what a broken file can make us allocate: far above any real model's sizes.
    constexpr int64_t kLargest = 1 << 24;
    const auto value = member<int64_t>(file, root, key);
    if (value < 1 || value > kLargest)
      refuse(std::string(key) + " is " + std::to_string(value) + ", which is no size");
    return value;
  };
  auto require = [&](const char *key, const char *expected) {
    if (const auto value = member<std::string>(file, root, key); value != expected)
      refuse(std::string(key) + " is " + value + "; only " + expected + " is supported");
  };
  require("model_type", "bert");
  require("hidden_act", "gelu");
  if (root.contains("position_embedding_type"))
    require("position_embedding_type", "absolute");

  BertConfig config;
  config.vocabulary = size("vocab_size");
  config.positions = size("max_position_embeddings");
  config.segments = size("type_vocab_size");
  config.hidden = size("hidden_size");
  config.intermediate = size("intermediate_size");
  config.layers = size("num_hidden_layers");
  config.heads = size("num_attention_heads");
  config.epsilon = member<double>(file, root, "layer_norm_eps");
  if (config.layers > 1024)
    refuse("num_hidden_layers is more than 1024");
  if (config.hidden % config.heads != 0)
    refuse("hidden_size is no multiple of num_attention_heads");
  if (!(config.epsilon >= 0 && config.epsilon < 1))
    refuse("layer_norm_eps is not in [0, 1)");
  return config;
}

} // namespace kiln::tools
