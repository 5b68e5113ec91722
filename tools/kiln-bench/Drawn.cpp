//===- Drawn.cpp - Weights and inputs at random -------------------------------===//

#include "Drawn.h"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "Cases.h"
#include "tools/common/minilm/Bert.h"

namespace kiln::tools {

namespace {
using Sizes = std::vector<int64_t>;
using State = std::map<std::string, Tensor>;

/// The parameters of a model with other numbers: small ones, so that nothing overflows.
template <class Model> State stateOf(const Model &model) {
  State state;
  for (const auto &[name, parameter] : model.parameters()) {
    Tensor values = random::uniform(parameter.shape(), -0.1, 0.1);
    values.realize();
    state.emplace(name, values);
  }
  return state;
}

struct DrawnCase {
  UsualSizes usual;
  std::function<State(const Sizes &)> state;
  const char *table; ///< The weight whose rows the inputs name; null: the inputs are numbers.
};

const std::map<std::string, DrawnCase> &drawnCases() {
  static const std::map<std::string, DrawnCase> cases = {
      {"linear",
       {{{768, 3072}, "INxOUT", {512, 768}},
        [](const Sizes &l) { return stateOf(nn::Linear(l[0], l[1])); },
        nullptr}},
      {"mlp",
       {{{768, 3072, 768}, "INxHIDDENxOUT", {512, 768}},
        [](const Sizes &l) {
          return stateOf(
              nn::Sequential(nn::Linear(l[0], l[1]), nn::GELU(), nn::Linear(l[1], l[2])));
        },
        nullptr}},
      {"gather_linear",
       {{{30522, 384, 1536}, "VOCABULARYxINxOUT", {8, 128}},
        [](const Sizes &l) {
          return stateOf(
              nn::Sequential(nn::Embedding(l[0], {.dim = l[1]}), nn::Linear(l[1], l[2])));
        },
        "0.weight"}},
      {"layer_norm",
       {{{768}, "SIZE", {512, 768}},
        [](const Sizes &l) { return stateOf(nn::LayerNorm(l[0])); },
        nullptr}},
      {"conv2d",
       {{{3, 3, 64, 64}, "HEIGHTxWIDTHxINxOUT", {1, 56, 56, 64}},
        [](const Sizes &l) { return stateOf(nn::Conv2d(l[2], l[3], {l[0], l[1]})); },
        nullptr}},
      {"minilm",
       {{{384, 1536, 6}, "HIDDENxINTERMEDIATExLAYERS", {8, 128}},
        [](const Sizes &l) {
          BertConfig config;
          config.hidden = l[0];
          config.intermediate = l[1];
          config.layers = l[2];
          return stateOf(SentenceEncoder(config));
        },
        "embeddings.word_embeddings.weight"}},
  };
  return cases;
}

const DrawnCase &find(const std::string &name) {
  findCase(name);
  return drawnCases().at(name);
}

State drawState(const std::string &caseName, const Sizes &layers) {
  const DrawnCase &drawn = find(caseName);
  if (layers.size() != drawn.usual.layers.size())
    throw ValueError(fmt::format("{} has layers {}, got {}", caseName, drawn.usual.layersMean,
                                 fmt::join(layers, "x")));
  return drawn.state(layers);
}
} // namespace

const UsualSizes &usualSizes(const std::string &caseName) { return find(caseName).usual; }

DrawnWeights::DrawnWeights(const std::string &caseName, const Sizes &layers) {
  const State state = drawState(caseName, layers);
  std::string name = (std::filesystem::temp_directory_path() / "kiln-bench-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw IoError("[report] cannot make a folder for weights: " + std::string(strerror(errno)));
  folder = name;
  io::saveSafetensors(file().string(), state);
}

DrawnWeights::~DrawnWeights() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

std::vector<Tensor> drawInputs(const std::string &caseName, const std::filesystem::path &weights,
                               const Sizes &sizes, DType dtype) {
  const Shape shape(std::vector<Dim>(sizes.begin(), sizes.end()));
  std::vector<Tensor> inputs;
  if (const char *table = find(caseName).table) {
    const auto rows = io::openSafetensors(weights.string()).find(table);
    if (!rows)
      throw KeyError(fmt::format("[report] the weights have no {}", table));
    const auto last = static_cast<double>(rows->shape()[0].value() - 1);
    inputs.push_back(random::uniform(shape, 0, last, DType::int64));
    if (caseName == "minilm")
      inputs.push_back(Tensor::ones(shape, DType::int64));
  } else {
    inputs.push_back(random::uniform(shape, -1, 1, dtype));
  }
  for (const Tensor &input : inputs)
    input.realize();
  return inputs;
}

std::vector<int64_t> parseSizes(const std::string &text) {
  Sizes sizes;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    int64_t size = 0;
    const auto [behind, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 1 || (behind != end && *behind != 'x'))
      throw ValueError(fmt::format("expected sizes as 8x128, got {}", text));
    sizes.push_back(size);
    if (behind == end)
      return sizes;
    at = behind + 1;
  }
}

void writeDrawn(const std::string &caseName, const Sizes &layers, const std::vector<Sizes> &shapes,
                const std::filesystem::path &folder) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path weights = folder / "weights.safetensors";
  random::seed(1);
  io::saveSafetensors(weights.string(), drawState(caseName, layers));
  for (const Sizes &shape : shapes) {
    uint64_t seed = 2; // of each shape its own, whichever others are drawn
    for (const int64_t size : shape)
      seed = seed * 1000003 + static_cast<uint64_t>(size);
    random::seed(seed);
    const auto inputs = drawInputs(caseName, weights, shape, DType::float32);
    State state;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      state.emplace("in" + std::to_string(i), inputs[i]);
    io::saveSafetensors((folder / fmt::format("{}.safetensors", fmt::join(shape, "x"))).string(),
                        state);
  }
}

} // namespace kiln::tools
