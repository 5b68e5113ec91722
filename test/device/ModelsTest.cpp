#include "test/device/References.h"
#include "test/unit/random/Replay.h"
#include "tools/common/InterpretModule.h"
#include "tools/common/Weights.h"
#include "tools/common/minilm/Bert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::test;

namespace {

/// Models against float64, at the accuracy that is promised: relative to the largest result.
class Models : public testing::TestWithParam<DType> {
protected:
  Models() : scope(DType::float32, CPU()) { random::seed(11); }
  DType dtype() const { return GetParam(); }
  double tolerance(double ofFloat32 = 2e-6) const {
    return dtype() == DType::float32 ? ofFloat32 : 2e-2;
  }
  Tensor draw(const Shape &shape) const { return random::uniform(shape, -1, 1, dtype()); }
  static std::string nameOf(const Shape &shape) {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::replace(name.begin(), name.end(), '/', '-');
    for (const Dim &dim : shape)
      name += "-" + dim.str();
    return name;
  }

  /// The same numbers on every machine, in the dtype.
  template <class Model> void drawParameters(Model &model) const {
    model.applyToParameters([](const std::string &, const Tensor &weight) {
      Tensor drawn = random::uniform(weight.shape(), -0.3, 0.3, DType::float32);
      drawn.realize();
      return drawn;
    });
    tools::roundWeights(model, dtype());
  }

  /// `types`: of the arguments on the device, with names for dims. Eager and compiled, and compiled
  /// again from the recorded launches.
  template <class Model, std::same_as<Tensor>... Inputs>
  void check(const Model &model, const std::vector<Shape> &shapes, double tolerance,
             const Inputs &...inputs) const {
    std::vector<Tensor> all{inputs...};
    Expected expected = reference(nameOf(all[0].shape()), [&] {
      Tensor result = tools::interpretInFloat64(model, inputs...);
      return Expected{{contentsOf(result)}, {std::nullopt}};
    });
    Model there = model;
    there.to(Accelerator());
    auto compiled = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return there.compile(TensorType(all[I].dtype(), shapes[I], Accelerator())...);
    }(std::index_sequence_for<Inputs...>());
    for (const char *how : {"compiled", "compiled again", "from a graph", "eager"})
      compare(expected,
              how[0] == 'e' ? there(inputs.to(Accelerator())...)
                            : compiled(inputs.to(Accelerator())...),
              tolerance, how);
  }

  static void compare(const Expected &expected, const Tensor &result, double tolerance,
                      const char *how) {
    ir::DenseData got = contentsOf(result.to(CPU()));
    if (isRecording())
      return;
    const ir::DenseData &want = expected.outputs.at(0);
    ASSERT_EQ(got.type.shape, want.type.shape);
    std::span<const double> wanted(reinterpret_cast<const double *>(want.bytes.data()),
                                   want.bytes.size() / sizeof(double));
    auto valueAt = [&](std::size_t i) -> double {
      if (got.type.dtype == DType::float32) {
        float value = 0;
        std::memcpy(&value, got.bytes.data() + i * sizeof(value), sizeof(value));
        return static_cast<double>(value);
      }
      BFloat16 value;
      std::memcpy(&value, got.bytes.data() + i * sizeof(value), sizeof(value));
      return static_cast<double>(static_cast<float>(value));
    };
    double largest = 0;
    for (double one : wanted)
      largest = std::max(largest, std::fabs(one));
    ASSERT_GT(largest, 0);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      ASSERT_NEAR(valueAt(i), wanted[i], tolerance * largest) << how << ", element " << i;
  }

  DefaultsScope scope;
};

TEST_P(Models, linear) {
  for (auto [in, out] : {std::pair<int64_t, int64_t>{64, 48}, {37, 19}, {256, 136}}) {
    nn::Linear model(in, out);
    drawParameters(model);
    for (int64_t rows : {1, 5, 70})
      check(model, {{"rows", in}}, tolerance(), draw({rows, in}));
  }
}

TEST_P(Models, mlp) {
  nn::Sequential model(nn::Linear(64, 96), nn::GELU(), nn::Linear(96, 40));
  drawParameters(model);
  for (int64_t rows : {1, 33})
    check(model, {{"rows", 64}}, tolerance(), draw({rows, 64}));
}

TEST_P(Models, gatherLinear) {
  nn::Sequential model(nn::Embedding(100, {.dim = 64}), nn::Linear(64, 48));
  drawParameters(model);
  for (int64_t texts : {1, 6})
    check(model, {{"texts", "tokens"}}, tolerance(),
          random::uniform({texts, 11}, 0, 100, DType::int64));
}

TEST_P(Models, norms) {
  nn::LayerNorm layer(70);
  drawParameters(layer);
  check(layer, {{"rows", 70}}, tolerance(), draw({11, 70}));
  nn::RMSNorm rms(1500);
  drawParameters(rms);
  check(rms, {{"rows", 1500}}, tolerance(), draw({3, 1500}));
}

TEST_P(Models, encoder) {
  tools::SentenceEncoder model({.vocabulary = 60,
                                .positions = 32,
                                .segments = 2,
                                .hidden = 48,
                                .intermediate = 96,
                                .layers = 2,
                                .heads = 4});
  drawParameters(model);
  for (auto [texts, tokens] : {std::pair<int64_t, int64_t>{1, 9}, {3, 17}}) {
    Tensor mask = random::uniform({texts, tokens}, 0, 4, DType::int64); // three of four are tokens
    check(model, {{"texts", "tokens"}, {"texts", "tokens"}}, tolerance(1e-5),
          random::uniform({texts, tokens}, 0, 60, DType::int64), mask);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Models, testing::Values(DType::float32, DType::bfloat16),
                         [](const auto &info) {
                           return info.param == DType::float32 ? "float32" : "bfloat16";
                         });

} // namespace
