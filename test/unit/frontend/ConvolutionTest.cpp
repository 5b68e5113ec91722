#include "kiln/kiln.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <random>
#include <sstream>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

/// PyTorch's numbers: see test/data/convolution.py.
Tensor reference(const std::string &name) {
  static const io::SafetensorsFile file = io::openSafetensors(
      std::filesystem::path(std::getenv("KILN_TEST_DATA")) / "convolution.safetensors");
  std::optional<Tensor> tensor = file.find(name);
  if (!tensor)
    throw KeyError("no reference " + name);
  return *tensor;
}

void expectClose(const Tensor &actual, const Tensor &expected, double tolerance = 1e-5) {
  ASSERT_EQ(actual.shape(), expected.shape());
  auto got = actual.toVector<float>(), want = expected.toVector<float>();
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], tolerance * (1 + std::abs(want[i]))) << "element " << i;
}

TEST(Convolution, EqualsPyTorch) {
  auto check = [](const std::string &name, auto convolve, auto options) {
    SCOPED_TRACE(name);
    options.bias = reference(name + ".bias");
    Tensor y = convolve(reference(name + ".x"), reference(name + ".filter"), options);
    expectClose(y, reference(name + ".y"));
  };
  auto one = [](const Tensor &x, const Tensor &f, const Conv1dOptions &o) {
    return conv1d(x, f, o);
  };
  auto two = [](const Tensor &x, const Tensor &f, const Conv2dOptions &o) {
    return conv2d(x, f, o);
  };
  auto three = [](const Tensor &x, const Tensor &f, const Conv3dOptions &o) {
    return conv3d(x, f, o);
  };
  check("conv1d", one, Conv1dOptions{.stride = 2, .dilation = 2, .padding = {1, 2}});
  check("conv2d", two, Conv2dOptions{.padding = 1});
  check("conv2d_stride", two, Conv2dOptions{.stride = {3, 2}, .padding = {2, 1, 0, 1}});
  check("conv2d_dilation", two,
        Conv2dOptions{.stride = {1, 2}, .dilation = {2, 3}, .padding = {2, 3}});
  check("conv2d_groups", two, Conv2dOptions{.padding = 1, .groups = 3});
  check("conv2d_depthwise", two,
        Conv2dOptions{.stride = {2, 1}, .dilation = {1, 2}, .padding = {1, 2}, .groups = 20});
  check("conv2d_multiplier", two, Conv2dOptions{.padding = {0, 1, 1, 1}, .groups = 3});
  check("conv2d_pointwise", two, Conv2dOptions{});
  check("conv2d_pointwise_stride", two, Conv2dOptions{.stride = 2});
  check("conv2d_patches", two, Conv2dOptions{.stride = 4});
  check("conv3d", three,
        Conv3dOptions{.stride = {1, 2, 1}, .dilation = {2, 1, 1}, .padding = {1, 1, 0, 1, 1, 1}});
}

TEST(Pooling, EqualsPyTorch) {
  auto check = [](const std::string &name, PerAxis<2> kernel, Pool2dOptions options) {
    SCOPED_TRACE(name);
    Tensor x = reference("pool.x");
    expectClose(maxPool2d(x, kernel, options), reference(name + ".max"), 0);
    options.dilation = 1;
    expectClose(avgPool2d(x, kernel, options), reference(name + ".mean"));
  };
  check("pool", 2, {.stride = 2});
  check("pool_overlap", {3, 2}, {.stride = {2, 1}, .dilation = {1, 2}, .padding = 1});
  check("pool_ceil", 3, {.stride = {2, 3}, .padding = 1, .ceilMode = true});
  check("pool_inside", 3, {.stride = 2, .padding = 1, .countBoundary = false});
  check("pool_ceil_inside", {2, 3},
        {.stride = 3, .padding = 1, .ceilMode = true, .countBoundary = false});
}

TEST(Fold, EqualsPyTorch) {
  expectClose(fold(reference("fold.x"), {5, 6}, {3, 2}, {.padding = {1, 0}}), reference("fold.y"));
  expectClose(fold(reference("fold_stride.x"), {9, 11}, {2, 3},
                   {.stride = {3, 2}, .dilation = {1, 2}, .padding = {0, 2}}),
              reference("fold_stride.y"));
}

TEST(Interpolation, EqualsPyTorch) {
  Tensor x = reference("nearest.x");
  expectClose(interpolateNearest(x, {8, 10}), reference("nearest.double"), 0);
  expectClose(interpolateNearest(x, {7, 3}), reference("nearest.odd"), 0);
  EXPECT_THROW(interpolateNearest(x, {0, 3}), ValueError);
  EXPECT_THROW(interpolateNearest(x.reshape({-1}), 2), ValueError);
}

TEST(Windows, AreViewsOfAnAxis) {
  Tensor x = Tensor::arange(0, 20).reshape({10, 2});
  Tensor y = windows(x, 0, 3, 4, 2);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 2}));
  EXPECT_THAT(y.toVector<int64_t>(), ElementsAre(0, 1, 4, 5, 8, 9, 8, 9, 12, 13, 16, 17));
  EXPECT_EQ(windows(x, -1, 2).shape(), (Shape{10, 1, 2}));
  EXPECT_EQ(windows(x, 0, 10).shape(), (Shape{1, 10, 2}));
  EXPECT_THROW(windows(x, 0, 11), ValueError);
  EXPECT_THROW(windows(x, 0, 0), ValueError);
  EXPECT_THROW(windows(x, 0, 1, 0), ValueError);
  EXPECT_THROW(windows(x, 0, 1, 1, -1), ValueError);
  EXPECT_THROW(windows(x, 2, 1), IndexError);
}

/// One axis of a convolution.
struct Axis {
  int64_t size, kernel, stride, dilation, before, after;
  int64_t count() const {
    return (size + before + after - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

/// The definition, in double: out[n, h, w, f] = sum of x[n, h', w', c] * filter[kh, kw, c, f].
std::vector<double> convolveSlowly(const std::vector<float> &x, const std::vector<float> &filter,
                                   int64_t batch, const Axis &h, const Axis &w, int64_t channels,
                                   int64_t outputs, int64_t groups) {
  const int64_t perGroup = channels / groups, outputsPerGroup = outputs / groups;
  std::vector<double> result;
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t i = 0; i < h.count(); ++i)
      for (int64_t j = 0; j < w.count(); ++j)
        for (int64_t f = 0; f < outputs; ++f) {
          double sum = 0;
          for (int64_t a = 0; a < h.kernel; ++a)
            for (int64_t b = 0; b < w.kernel; ++b) {
              int64_t row = i * h.stride + a * h.dilation - h.before;
              int64_t column = j * w.stride + b * w.dilation - w.before;
              if (row < 0 || row >= h.size || column < 0 || column >= w.size)
                continue;
              for (int64_t c = 0; c < perGroup; ++c)
                sum += double(x[((n * h.size + row) * w.size + column) * channels +
                                f / outputsPerGroup * perGroup + c]) *
                       filter[((a * w.kernel + b) * perGroup + c) * outputs + f];
            }
          result.push_back(sum);
        }
  return result;
}

TEST(Convolution, IsItsDefinitionEagerlyAndCompiled) {
  std::mt19937 draw(7);
  auto from = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(draw);
  };
  for (int round = 0; round < 12; ++round) {
    auto axis = [&] {
      Axis a{from(1, 14), from(1, 4), from(1, 3), from(1, 3), from(0, 2), from(0, 2)};
      a.size = std::max(a.size, a.dilation * (a.kernel - 1) + 1);
      return a;
    };
    Axis h = axis(), w = axis();
    const int64_t groups = from(0, 2) ? 1 : from(2, 3), batch = from(0, 3);
    const int64_t channels = groups * from(0, 1) * 15 + groups * from(1, 7);
    const int64_t outputs = groups * from(1, 20);
    SCOPED_TRACE(testing::Message()
                 << "round " << round << ": h " << h.size << " kernel " << h.kernel << " w "
                 << w.size << " kernel " << w.kernel << " channels " << channels << " outputs "
                 << outputs << " groups " << groups);
    random::seed(static_cast<uint64_t>(round));
    Tensor x = random::normal({batch, h.size, w.size, channels});
    nn::Conv2d layer(channels, outputs, {h.kernel, w.kernel},
                     {.stride = {h.stride, w.stride},
                      .padding = {h.before, h.after, w.before, w.after},
                      .dilation = {h.dilation, w.dilation},
                      .groups = groups,
                      .bias = false});
    Tensor eager = layer(x);
    auto expected = convolveSlowly(x.toVector<float>(), layer.weight.toVector<float>(), batch, h, w,
                                   channels, outputs, groups);
    ASSERT_EQ(eager.shape(), (Shape{batch, h.count(), w.count(), outputs}));
    auto got = eager.toVector<float>();
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], 1e-5 * (1 + std::abs(expected[i]))) << "element " << i;
    auto compiled = layer.compile(TensorType(DType::float32, {"n", "h", "w", channels}));
    ASSERT_EQ(compiled(x).toVector<float>(), got);
    // PyTorch's layout says the same.
    nn::Conv2d first(channels, outputs, {h.kernel, w.kernel},
                     {.stride = {h.stride, w.stride},
                      .padding = {h.before, h.after, w.before, w.after},
                      .dilation = {h.dilation, w.dilation},
                      .groups = groups,
                      .bias = false,
                      .permute = true});
    first.weight = layer.weight.permute({3, 2, 0, 1});
    ASSERT_TRUE(allClose(first(x.permute({0, 3, 1, 2})).permute({0, 2, 3, 1}), eager, 1e-5, 1e-5));
  }
}

TEST(Convolution, OfOtherDTypes) {
  Tensor x = Tensor::arange(0, 2 * 5 * 5).reshape({1, 5, 5, 2}) % 7;
  Tensor filter = Tensor::arange(0, 3 * 3 * 2 * 4).reshape({3, 3, 2, 4}) % 5;
  Tensor expected = conv2d(x.cast(DType::float32), filter.cast(DType::float32), {.padding = 1});
  for (DType dtype : {DType::int32, DType::int64, DType::uint8, DType::float16, DType::bfloat16,
                      DType::float64}) {
    Tensor y = conv2d(x.cast(dtype), filter.cast(dtype), {.padding = 1});
    EXPECT_EQ(y.dtype(), dtype);
    Tensor wanted = dtype == DType::uint8 ? expected % 256 : expected; // wraps
    Tensor rounded = isFloat(dtype) ? wanted.cast(dtype).cast(DType::float32) : wanted;
    EXPECT_TRUE(allClose(y.cast(DType::float32), rounded, 1e-6)) << name(dtype);
  }
  Tensor depthwise = Tensor::arange(0, 3 * 3 * 2).reshape({3, 3, 1, 2});
  Tensor whole = conv2d(x, depthwise, {.groups = 2});
  EXPECT_EQ(whole.dtype(), DType::int64);
  Tensor half = conv2d(x.cast(DType::float16), depthwise.cast(DType::float16), {.groups = 2});
  EXPECT_TRUE(allClose(half.cast(DType::float32), whole.cast(DType::float32), 1e-3));
  EXPECT_THROW(conv2d(x.cast(DType::boolean), filter.cast(DType::boolean)), TypeError);
}

TEST(Pooling, OfOtherDTypes) {
  Tensor x = Tensor::arange(-8, 8).reshape({1, 4, 4, 1});
  for (DType dtype : {DType::int8, DType::int32, DType::int64, DType::float16, DType::bfloat16}) {
    Tensor y = maxPool2d(x.cast(dtype), 3, {.stride = 2, .padding = 1});
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_THAT(y.cast(DType::int64).toVector<int64_t>(), ElementsAre(-3, -1, 5, 7));
  }
  Tensor means = avgPool2d(x, 2, {.stride = 2});
  EXPECT_EQ(means.dtype(), DType::float32);
  EXPECT_THAT(means.toVector<float>(), ElementsAre(-5.5f, -3.5f, 2.5f, 4.5f));
  Tensor half =
      avgPool2d(x.cast(DType::bfloat16), 2, {.stride = 2, .padding = 1, .countBoundary = false});
  EXPECT_EQ(half.dtype(), DType::bfloat16);
  EXPECT_THAT(half.cast(DType::float32).toVector<float>(),
              ElementsAre(-8, -6.5f, -5, -2, -0.5f, 1, 4, 5.5f, 7));
  Tensor nan = Tensor::constant({1.0f, NAN, 2.0f, 3.0f}).reshape({1, 2, 2, 1});
  EXPECT_TRUE(std::isnan(maxPool2d(nan, 2).item<float>()));
  EXPECT_THROW(maxPool2d(x.cast(DType::boolean), 2), TypeError);
}

/// A small network for images of any size.
struct Images : nn::Module<Images> {
  nn::Conv2d stem{3, 16, 3, {.stride = 2, .padding = 1}}, body{16, 24, 3, {.padding = 1}};
  nn::MaxPool2d pool{2};
  KILN_FIELDS(stem, body, pool)
  Tensor operator()(const Tensor &x) const { return pool(relu(body(relu(stem(x))))); }
};

TEST(Convolution, OfEverySizeIsOneArtifact) {
  Images model;
  auto compiled = model.compile(TensorType(DType::float32, {"n", "h", "w", 3}));
  EXPECT_EQ(model(random::normal({1, 9, 13, 3})).shape(), (Shape{1, 2, 3, 24}));
  model(random::normal({2, 12, 10, 3})).realize();
  auto before = runtimeStats().compiles;
  for (int64_t size = 8; size < 20; ++size) {
    Tensor x = random::normal({size % 3 + 1, size, 24 - size, 3});
    ASSERT_EQ(compiled(x).toVector<float>(), model(x).toVector<float>());
    avgPool2d(x, 3, {.stride = 2, .padding = 1, .countBoundary = false}).realize();
    if (size == 8) // the pool compiles once
      before = runtimeStats().compiles;
  }
  EXPECT_EQ(runtimeStats().compiles, before);
  EXPECT_THAT(
      [&] {
        compiled(random::normal({1, 1, 8, 3}));
      },
      ThrowsMessage<ValueError>(HasSubstr("but h is 1 (argument 0, dim 1)")));
}

/// No stored patches: the windows are inside of the product's kernel, and so are bias and relu.
TEST(Convolution, IsOneKernel) {
  struct Block : nn::Module<Block> {
    nn::Conv2d conv{32, 16, 3, {.padding = 1}};
    KILN_FIELDS(conv)
    Tensor operator()(const Tensor &x) const { return relu(conv(x)); }
  };
  auto compiled = Block().compile(TensorType(DType::float32, {"n", "h", "w", 32}));
  EXPECT_EQ(compiled.stats().kernels, 1u);
  auto pool = nn::AvgPool2d(3).compile(TensorType(DType::float32, {"n", "h", "w", 32}));
  EXPECT_EQ(pool.stats().kernels, 1u);
  auto greatest =
      nn::MaxPool2d(3, {.padding = 1}).compile(TensorType(DType::float32, {"n", "h", "w", 32}));
  EXPECT_EQ(greatest.stats().kernels, 1u);
}

template <class M> std::string text(const M &module) {
  std::ostringstream os;
  os << module;
  return os.str();
}

TEST(Convolution, LayersPrintWhatIsNotTheDefault) {
  EXPECT_EQ(text(nn::Conv2d(3, 64, 7)),
            "Conv2d(in_channels=3, out_channels=64, kernel_size=(7, 7))");
  EXPECT_EQ(text(nn::Conv2d(
                4, 8, {3, 1},
                {.stride = 2, .padding = {1, 0}, .groups = 2, .bias = false, .permute = true})),
            "Conv2d(\n    in_channels=4,\n    out_channels=8,\n    kernel_size=(3, 1),\n"
            "    stride=(2, 2),\n    padding=(1, 1, 0, 0),\n    num_groups=2,\n"
            "    has_bias=false,\n    permute=true\n)");
  EXPECT_EQ(text(nn::MaxPool2d(2)), "MaxPool2d(kernel_size=(2, 2))");
  EXPECT_EQ(text(nn::AvgPool2d({3, 2}, {.stride = 1, .ceilMode = true})),
            "AvgPool2d(kernel_size=(3, 2), stride=(1, 1), ceil_mode=true)");
  nn::Conv2d layer(4, 6, {3, 5}, {.groups = 2});
  EXPECT_EQ(layer.weight.shape(), (Shape{3, 5, 2, 6}));
  EXPECT_EQ(layer.bias->shape(), Shape{6});
  EXPECT_EQ(layer.kernelSize(), (PerAxis<2>{3, 5}));
  EXPECT_EQ(nn::Conv2d(4, 6, {3, 5}, {.permute = true}).weight.shape(), (Shape{6, 4, 3, 5}));
}

TEST(Convolution, RefusesWhatDoesNotFit) {
  Tensor x = Tensor::ones({1, 5, 5, 4}), filter = Tensor::ones({3, 3, 4, 8});
  auto fails = [](auto call, const char *message) {
    EXPECT_THAT(call, ThrowsMessage<ValueError>(HasSubstr(message)));
  };
  fails([&] { conv2d(x.squeeze(0), filter); }, "[conv2d] x and filter need rank 4: x [5, 5, 4]");
  fails(
      [&] {
        conv2d(x, Tensor::ones({3, 3, 2, 8}));
      },
      "[conv2d] channels differ: x has 4, the filter takes 2 in each of 1 groups");
  fails([&] { conv2d(x, filter, {.groups = 3}); }, "3 groups do not divide 8 output channels");
  fails([&] { conv2d(x, filter, {.groups = 0}); }, "groups must be positive");
  fails([&] { conv2d(x, filter, {.stride = 0}); }, "[conv2d] stride 0 of spatial axis 0");
  fails([&] { conv2d(x, filter, {.dilation = {1, -1}}); }, "dilation -1 of spatial axis 1");
  fails([&] { conv2d(x, filter, {.padding = {0, -1}}); }, "padding -1 of spatial axis 1");
  fails([&] { conv2d(x, filter, {.dilation = 3}); }, "[conv2d]");
  fails([&] { conv2d(x, filter, {.bias = Tensor::ones({4})}); }, "the bias must be [8]");
  fails([&] { conv2d(x, filter, {.stride = 0}); }, "ConvolutionTest.cpp:");
  fails([&] { conv1d(x, filter); }, "[conv1d] x and filter need rank 3");
  fails([&] { conv3d(x, filter); }, "[conv3d] x and filter need rank 5");
  fails([] { nn::Conv2d(3, 8, 3, {.groups = 2}); },
        "[Conv2d] num_groups 2 must divide in_channels 3 and out_channels 8");
  fails([] { nn::Conv2d(0, 8, 3); }, "[Conv2d] in_channels must be at least 1, not 0");
  fails([] { nn::Conv2d(3, 8, {3, 0}); }, "kernel_size must be at least 1, not 0");
  fails([&] { nn::Conv2d(3, 8, 3)(x); }, "[Conv2d] x must be [N, H, W, 3], not [1, 5, 5, 4]");
  fails([&] { nn::Conv2d(6, 8, 3, {.permute = true})(x); }, "[Conv2d] x must be [N, 6, H, W]");
  fails([&] { maxPool2d(x, 6); }, "[maxPool2d]");
  fails([&] { maxPool2d(x, 2, {.padding = 2}); }, "more than half of the kernel size 2");
  fails([&] { avgPool2d(x.squeeze(0), 2); }, "[avgPool2d] x must be [N, H, W, C]");
  Tensor columns = Tensor::ones({1, 8, 4});
  fails([&] { fold(columns, {3, 3}, {3, 2}); }, "axis 1 must be a multiple of the 6 elements");
  fails([&] { fold(columns, {4, 4}, 2); }, "3 * 3 windows make an output of 4 x 4");
  fails([&] { fold(columns, {1, 4}, 2); }, "no window of 2 elements fits");
  fails([&] { fold(columns.squeeze(0), {3, 3}, 2); }, "[fold] x must be");
}

TEST(Convolution, OfNothingIsEmpty) {
  nn::Conv2d layer(3, 4, 3);
  EXPECT_EQ(layer(Tensor::ones({0, 8, 8, 3})).toVector<float>().size(), 0u);
  EXPECT_EQ(maxPool2d(Tensor::ones({0, 8, 8, 3}), 2).shape(), (Shape{0, 7, 7, 3}));
  EXPECT_EQ(avgPool2d(Tensor::ones({2, 8, 8, 0}), 2).toVector<float>().size(), 0u);
}

} // namespace
