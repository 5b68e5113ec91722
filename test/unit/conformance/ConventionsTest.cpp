// What trips up a port of MAX's tests: the conventions behind many of its cases.

#include "ModuleTesting.h"

#include <cmath>

using namespace kiln;
using namespace kiln::conformance;
using testing::ElementsAre;

namespace {

TEST(MaxConventions, reductions_keep_the_axis_and_default_to_the_last) {
  Tensor x = Tensor::constant({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}});
  EXPECT_EQ(x.sum(-1).shape(), (Shape{2, 1}));
  EXPECT_EQ(x.sum().shape(), (Shape{2, 1}));
  EXPECT_THAT(x.sum().toVector<float>(), ElementsAre(6, 15));
  for (const Tensor &reduced : {x.mean(), x.prod(), x.max(), x.min(), x.argmax(), x.argmin()})
    EXPECT_EQ(reduced.shape(), (Shape{2, 1}));
  EXPECT_EQ(x.sum(0).shape(), (Shape{1, 3}));
}

/// MAX's axis=None: flattened first, then one element.
TEST(MaxConventions, a_reduction_over_everything_has_shape_1) {
  Tensor x = Tensor::constant({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}});
  EXPECT_EQ(x.flatten().sum().shape(), Shape{1});
  EXPECT_EQ(x.flatten().sum().item<float>(), 21);
  EXPECT_EQ(x.flatten().argmax().item<int64_t>(), 5);
}

TEST(MaxConventions, linear_is_x_times_the_transposed_weight) {
  nn::Linear linear(2, 3);
  EXPECT_EQ(linear.weight.shape(), (Shape{3, 2}));
  linear.weight = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}, {5.0f, 6.0f}});
  linear.bias = Tensor::constant({0.5f, 0.0f, -1.0f});
  EXPECT_THAT(linear(Tensor::constant({1.0f, 10.0f})).toVector<float>(),
              ElementsAre(21.5f, 43, 64));
  nn::Linear plain(2, 3, false);
  EXPECT_THAT(names(plain.parameters()), ElementsAre("weight"));
}

TEST(MaxConventions, dims_of_parameters_print_as_dims) {
  EXPECT_EQ(text(nn::Linear(2, 2)), "Linear(in_dim=Dim(2), out_dim=Dim(2))");
  EXPECT_EQ(text(nn::Embedding(3, {.dim = 2})), "Embedding(vocab_size=Dim(3), dim=Dim(2))");
}

TEST(MaxConventions, default_dtype_and_device) {
  if (acceleratorCount() > 0)
    EXPECT_EQ(defaults(), std::pair(DType::bfloat16, Accelerator()));
  else
    EXPECT_EQ(defaults(), std::pair(DType::float32, CPU()));
  {
    DefaultsScope scope(CPU());
    EXPECT_EQ(defaults(), std::pair(DType::float32, CPU()));
    EXPECT_EQ(Tensor::ones({2}).dtype(), DType::float32);
  }
  DefaultsScope scope(Accelerator());
  EXPECT_EQ(defaults().first, DType::bfloat16);
}

/// MAX builds x < y as not (x >= y), so that NaN < 1 holds there.
TEST(MaxConventions, comparisons_with_nan_are_false) {
  Tensor nan = Tensor::constant(NAN), one = Tensor::constant(1.0f);
  for (const Tensor &result : {nan<one, nan <= one, nan> one, nan >= one, nan == one,
                               one<nan, one <= nan, one> nan, one >= nan, nan == nan})
    EXPECT_FALSE(result.item<bool>());
  EXPECT_TRUE((nan != nan).item<bool>());
}

TEST(MaxConventions, division_and_clip) {
  Tensor x = Tensor::constant({7, -7, 1}), y = Tensor::constant({3, 3, 2});
  EXPECT_EQ((x / y).dtype(), DType::float32);
  EXPECT_THAT((x / y).toVector<float>(), ElementsAre(7 / 3.0f, -7 / 3.0f, 0.5f));
  EXPECT_THAT(floorDiv(x, y).toVector<int>(), ElementsAre(2, -3, 0));
  EXPECT_THAT((x % y).toVector<int>(), ElementsAre(1, 2, 1));
  EXPECT_THAT(clamp(x, -1, 2).toVector<int>(), ElementsAre(2, -1, 1));
}

TEST(MaxConventions, tensors_are_values) {
  Tensor x = Tensor::constant({1.0f, 2.0f}), y = x;
  EXPECT_EQ(x.handle(), y.handle()); // a copy is the same tensor
  y += 1;                            // and changing one is to take another
  EXPECT_THAT(x.toVector<float>(), ElementsAre(1, 2));
  EXPECT_THAT(y.toVector<float>(), ElementsAre(2, 3));
  EXPECT_THAT((x == y).toVector<bool>(), ElementsAre(false, false));
}

} // namespace
