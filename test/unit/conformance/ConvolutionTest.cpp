// Convolutions, pools, fold and interpolation of MAX's test_functional_*.py. Values against
// PyTorch: test/unit/frontend/ConvolutionTest.cpp.
#include "kiln/kiln.h"

#include <gmock/gmock.h>

using namespace kiln;
using testing::Each;
using testing::ElementsAre;

namespace {

TEST(MaxFunctional, test_conv2d) { // NHWC x RSCF
  Tensor y = conv2d(Tensor::ones({1, 4, 4, 2}), Tensor::ones({3, 3, 2, 5}));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 2, 5}));
  EXPECT_THAT(y.toVector<float>(), Each(18));
  y = conv2d(Tensor::ones({1, 4, 4, 2}), Tensor::ones({3, 3, 2, 1}),
             {.stride = {2, 1}, .padding = {1, 1, 1, 1}, .bias = Tensor::full({1}, 0.5f)});
  EXPECT_EQ(y.shape(), (Shape{1, 2, 4, 1}));
  EXPECT_THAT(y.toVector<float>(),
              ElementsAre(8.5f, 12.5f, 12.5f, 8.5f, 12.5f, 18.5f, 18.5f, 12.5f));
}

TEST(MaxFunctional, test_conv3d) { // NDHWC x QRSCF
  Tensor y = conv3d(Tensor::ones({2, 3, 4, 5, 2}), Tensor::ones({3, 2, 2, 2, 3}));
  EXPECT_EQ(y.shape(), (Shape{2, 1, 3, 4, 3}));
  EXPECT_THAT(y.toVector<float>(), Each(24));
}

TEST(MaxFunctional, test_max_pool2d) { // NHWC, a stride of 1 unless given
  Tensor x = Tensor::arange(0, 16, 1, DType::float32).reshape({1, 4, 4, 1});
  Tensor y = maxPool2d(x, {2, 2});
  EXPECT_EQ(y.shape(), (Shape{1, 3, 3, 1}));
  EXPECT_THAT(y.toVector<float>(), ElementsAre(5, 6, 7, 9, 10, 11, 13, 14, 15));
  EXPECT_THAT(maxPool2d(x, 2, {.stride = 2}).toVector<float>(), ElementsAre(5, 7, 13, 15));
  EXPECT_THAT(maxPool2d(x, 3, {.stride = 2, .ceilMode = true}).toVector<float>(),
              ElementsAre(10, 11, 14, 15));
}

TEST(MaxFunctional, test_avg_pool2d) {
  Tensor x = Tensor::ones({1, 4, 4, 1});
  EXPECT_THAT(avgPool2d(x, 2, {.stride = 2}).toVector<float>(), ElementsAre(1, 1, 1, 1));
  Tensor padded = avgPool2d(x, 2, {.stride = 2, .padding = 1});
  EXPECT_THAT(padded.toVector<float>(),
              ElementsAre(0.25f, 0.5f, 0.25f, 0.5f, 1, 0.5f, 0.25f, 0.5f, 0.25f));
  Tensor inside = avgPool2d(x, 2, {.stride = 2, .padding = 1, .countBoundary = false});
  EXPECT_THAT(inside.toVector<float>(), Each(1));
}

TEST(MaxFunctional, test_fold) { // [N, C * KH * KW, L] -> [N, C, H, W]
  Tensor y = fold(Tensor::ones({1, 2 * 4, 4}), {3, 3}, {2, 2});
  EXPECT_EQ(y.shape(), (Shape{1, 2, 3, 3}));
  EXPECT_THAT(y.toVector<float>(),
              ElementsAre(1, 2, 1, 2, 4, 2, 1, 2, 1, 1, 2, 1, 2, 4, 2, 1, 2, 1));
}

TEST(MaxTensorCompatibility, test_interpolate_nearest) {
  Tensor x = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}}).reshape({1, 1, 2, 2});
  Tensor y = interpolateNearest(x, {4, 4});
  EXPECT_EQ(y.shape(), (Shape{1, 1, 4, 4}));
  EXPECT_THAT(y.toVector<float>(), ElementsAre(1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4));
}

TEST(MaxFunctional, test_conv2d_in_a_graph) { // as ops.conv2d
  Graph graph("convolution");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n", 6, 6, 3}));
    Tensor filter = ops::constant(std::vector<float>(2 * 2 * 3 * 4, 0.5f), {2, 2, 3, 4});
    Tensor y = ops::maxPool2d(ops::conv2d(x, filter, {.stride = 2}), 3);
    EXPECT_EQ(y.shape(), (Shape{"n", 1, 1, 4}));
    graph.output(y);
  }
  auto run = graph.compile();
  EXPECT_THAT(Tensor(run(Tensor::ones({2, 6, 6, 3}))).toVector<float>(), Each(6));
}

TEST(MaxConv2d, LayoutsOfMAXAndOfPyTorch) {
  nn::Conv2d conv(3, 64, 3, {.permute = true});
  EXPECT_EQ(conv(Tensor::ones({1, 3, 32, 32})).shape(), (Shape{1, 64, 30, 30}));
  EXPECT_EQ(nn::Conv2d(3, 64, 3)(Tensor::ones({1, 32, 32, 3})).shape(), (Shape{1, 30, 30, 64}));
}

} // namespace
