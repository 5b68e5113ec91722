#include "docs/examples/Gpt2.h"
#include "docs/examples/Llama.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>

using namespace kiln;

// The models of docs/examples against PyTorch's numbers (test/data/models.py).

namespace {

/// The weights of test/data/models.py.
template <class Model> Model filled(Model model, DType dtype) {
  int64_t p = 0;
  nn::StateDict state;
  for (auto &[name, tensor] : model.stateDict()) {
    if (name.find("rotary") != name.npos) { // a table, not a weight
      state[name] = tensor;
      continue;
    }
    bool isNorm = name.find("norm") != name.npos && name.ends_with("weight");
    std::vector<float> values;
    for (int64_t e = 0; e < tensor.numElements(); ++e)
      values.push_back(static_cast<float>(
          static_cast<double>((e * 37 + p * 101) % 251 - 125) / 512 + (isNorm ? 1 : 0)));
    state[name] = Tensor::fromData(values, tensor.shape());
    ++p;
  }
  model.loadStateDict(state);
  return model.mapParameters([&](auto &, const Tensor &tensor) { return tensor.cast(dtype); });
}

Tensor ids(int64_t batch, int64_t seq) {
  return ((Tensor::arange(batch * seq) * 37 + 11) % 61).reshape({batch, seq});
}

double largestError(const Tensor &given, const Tensor &expected) {
  EXPECT_EQ(given.shape(), expected.shape());
  Tensor error = abs(given.cast(DType::float64) - expected).flatten();
  return max(error).item<double>();
}

/// Logits are about 1; sums of 128 terms in float32 lose some 1e-6 of that, in float64 1e-15, twice
/// in each of two layers.
double toleranceOf(DType dtype) { return dtype == DType::float32 ? 2e-5 : 1e-12; }

template <class Model> void compare(const char *name, const Model &untouched) {
  const char *folder = std::getenv("KILN_TEST_DATA");
  auto references =
      io::openSafetensors(std::string(folder ? folder : "test/data") + "/models.safetensors");
  for (DType dtype : {DType::float32, DType::float64}) {
    Model model = filled(untouched, dtype);
    auto compiled = model.compile(TensorType(DType::int64, {"batch", "seq"}));
    for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 7}, {3, 16}}) {
      SCOPED_TRACE(std::string(kiln::name(dtype)) + " " + std::to_string(batch));
      const Tensor &expected =
          references[name + ("." + std::to_string(batch)) + "." + std::to_string(seq)];
      Tensor eager = model(ids(batch, seq)), logits = compiled(ids(batch, seq));
      EXPECT_LT(largestError(logits, expected), toleranceOf(dtype));
      EXPECT_LT(largestError(eager, expected), toleranceOf(dtype));
      EXPECT_EQ(eager.dtype(), dtype);
    }
    EXPECT_THROW(compiled(ids(1, 17)), Error); // longer than there are positions
  }
}

TEST(ModelReferences, Gpt2) {
  compare("gpt2",
          gpt2::Gpt2({.vocabulary = 61, .positions = 16, .dim = 32, .heads = 4, .layers = 2}));
}

TEST(ModelReferences, Llama) {
  compare("llama", llama::Llama({.vocabulary = 61,
                                 .positions = 16,
                                 .dim = 32,
                                 .heads = 4,
                                 .kvHeads = 2,
                                 .hidden = 48,
                                 .layers = 2}));
}

} // namespace
