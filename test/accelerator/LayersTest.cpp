#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;

namespace {

/// Layers on the accelerator, executed from their PTX, against the same on the CPU.
class LayersTest : public testing::Test {
protected:
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
    standin::machine().isReversed = false;
  }

  /// `tolerance`: relative to the largest result.
  template <class Module>
  void compare(Module &model, DType dtype, const Shape &shape, double tolerance) {
    Tensor input = random::uniform(shape, -1, 1, DType::float32, CPU()).cast(dtype);
    auto expected = model(input).cast(DType::float32).template toVector<float>();
    model.to(Accelerator());
    auto compiled = model.compile(TensorType(dtype, {"rows", shape[1]}, Accelerator()));
    for (bool isReversed : {false, true}) {
      standin::machine().isReversed = isReversed;
      auto got = compiled(input.to(Accelerator())).to(CPU()).cast(DType::float32);
      auto values = got.template toVector<float>();
      ASSERT_THAT(standin::violations(), testing::IsEmpty());
      ASSERT_EQ(values.size(), expected.size());
      double largest = 0;
      for (float one : expected)
        largest = std::max(largest, std::fabs(static_cast<double>(one)));
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(values[i], expected[i], tolerance * largest)
            << "element " << i << " of " << shape.str() << (isReversed ? ", reversed" : "");
    }
    model.to(CPU());
  }
};

/// bfloat16 is rounded to 8 bits once; both devices sum in float32.
constexpr double bfloatTolerance = 1e-2, floatTolerance = 2e-6;

TEST_F(LayersTest, linear) {
  random::seed(1);
  for (auto [in, out] : {std::pair<int64_t, int64_t>{64, 48}, {37, 19}}) {
    DefaultsScope scope(DType::float32, CPU());
    nn::Linear model(in, out);
    for (int64_t rows : {1, 5, 70})
      compare(model, DType::float32, {rows, in}, floatTolerance);
  }
}

TEST_F(LayersTest, linearOfBfloat) {
  random::seed(2);
  for (auto [in, out] : {std::pair<int64_t, int64_t>{64, 48}, {40, 24}, {37, 19}}) {
    DefaultsScope scope(DType::bfloat16, CPU());
    nn::Linear model(in, out);
    for (int64_t rows : {1, 70})
      compare(model, DType::bfloat16, {rows, in}, bfloatTolerance);
  }
}

TEST_F(LayersTest, mlp) {
  random::seed(3);
  DefaultsScope scope(DType::float32, CPU());
  nn::Sequential model(nn::Linear(32, 64), nn::GELU(), nn::Linear(64, 32), nn::LayerNorm(32));
  compare(model, DType::float32, {9, 32}, 1e-5);
}

TEST_F(LayersTest, norms) {
  random::seed(4);
  DefaultsScope scope(DType::float32, CPU());
  nn::LayerNorm layer(70);
  compare(layer, DType::float32, {11, 70}, floatTolerance);
  nn::RMSNorm rms(1500);
  compare(rms, DType::float32, {3, 1500}, floatTolerance);
}

TEST_F(LayersTest, reductions) {
  random::seed(5);
  Tensor x = random::uniform({5, 300}, -2, 2, DType::float32, CPU());
  Tensor there = x.to(Accelerator());
  auto expectNear = [](const Tensor &got, const Tensor &expected) {
    std::vector<float> a = got.toVector<float>(), b = expected.toVector<float>();
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-5 * std::max(1.0f, std::fabs(b[i]))) << i;
  };
  expectNear(softmax(there), softmax(x));
  expectNear(sum(there), sum(x));
  expectNear(max(there, 0), max(x, 0));
  expectNear(mean(there, 0), mean(x, 0));
  EXPECT_EQ(argmax(there).toVector<int64_t>(), argmax(x).toVector<int64_t>());
}

} // namespace
