// Products with packed weights, against decoding first.

#include "kiln/kiln.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

using Encoding = QuantizationEncoding;
constexpr Encoding encodings[] = {Encoding::Q4_0, Encoding::Q8_0, Encoding::Q4_K, Encoding::Q5_K,
                                  Encoding::Q6_K};
/// The levels that this machine runs, and what it has beyond them.
std::vector<std::string> targets() {
  std::vector<std::string> runnable;
  for (const char *name : {"x86-64", "x86-64-v3", "x86-64-v4", "native"}) {
    try {
      struct Identity : nn::Module<Identity> {
        Tensor operator()(const Tensor &x) const { return x + 1; }
      };
      Identity().compile(CompileOptions{.target = name},
                         TensorType(DType::float32, {1}))(Tensor::zeros({1}));
      runnable.push_back(name);
    } catch (const Error &) {
    }
  }
  return runnable;
}

struct Scales {
  std::size_t scale, minScale; // where they are; minScale 0: there is none
};
Scales scalesOf(Encoding encoding) {
  switch (encoding) {
  case Encoding::Q4_0:
    return {blocks::Q4_0::scale, 0};
  case Encoding::Q8_0:
    return {blocks::Q8_0::scale, 0};
  case Encoding::Q4_K:
    return {blocks::Q4_K::scale, blocks::Q4_K::minScale};
  case Encoding::Q5_K:
    return {blocks::Q5_K::scale, blocks::Q5_K::minScale};
  case Encoding::Q6_K:
    return {blocks::Q6_K::scale, 0};
  }
  return {};
}

/// Blocks of any bits, but for the scales: normal halves of both signs, near 0.01.
Tensor drawWeights(Encoding encoding, int64_t out, int64_t in, unsigned seed) {
  std::mt19937 draw(seed);
  std::vector<uint8_t> bytes(static_cast<std::size_t>(out * packedRowBytes(encoding, in)));
  for (uint8_t &byte : bytes)
    byte = static_cast<uint8_t>(draw());
  const Scales at = scalesOf(encoding);
  const auto block = static_cast<std::size_t>(blockBytes(encoding));
  for (std::size_t i = 0; i < bytes.size(); i += block) {
    auto put = [&](std::size_t offset, bool maySign) {
      auto half =
          static_cast<uint16_t>(0x2000 + draw() % 0x400 + (maySign && draw() % 4 == 0) * 0x8000);
      std::memcpy(&bytes[i + offset], &half, sizeof(half));
    };
    put(at.scale, true);
    if (at.minScale)
      put(at.minScale, false);
  }
  return Tensor::fromData(std::span<const uint8_t>(bytes), {out, packedRowBytes(encoding, in)});
}

Tensor drawRows(int64_t rows, int64_t in, unsigned seed) {
  std::mt19937 draw(seed);
  std::normal_distribution<float> normal(0.1f, 1);
  std::vector<float> values(static_cast<std::size_t>(rows * in));
  for (float &value : values)
    value = normal(draw);
  return Tensor::fromData(std::span<const float>(values), {rows, in});
}

nn::Linear drawLinear(Encoding encoding, int64_t out, int64_t in, bool bias = true) {
  std::optional<Tensor> row;
  if (bias)
    row = drawRows(1, out, 7).reshape({out});
  return nn::Linear(drawWeights(encoding, out, in, 3), encoding, row);
}
/// The same with its weight decoded.
nn::Linear decoded(const nn::Linear &linear) {
  Tensor weight = dequantize(linear.weight, *linear.quantizationEncoding);
  weight.realize();
  return nn::Linear(weight, linear.bias);
}

TensorType anyRows(int64_t in) { return TensorType(DType::float32, {"n", in}); }

double largest(const std::vector<float> &values) {
  double most = 0;
  for (float value : values)
    most = std::max(most, std::fabs(static_cast<double>(value)));
  return most;
}
/// Within `relative` of the largest value that is expected.
void expectClose(const Tensor &got, const Tensor &expected, double relative = 1e-5) {
  ASSERT_EQ(got.shape(), expected.shape());
  auto x = got.toVector<float>(), y = expected.toVector<float>();
  const double bound = relative * largest(y);
  for (std::size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(x[i], y[i], bound) << "at " << i;
}
void expectSameBits(const Tensor &got, const Tensor &expected) {
  ASSERT_EQ(got.shape(), expected.shape());
  ASSERT_TRUE(std::ranges::equal(got.bytes(), expected.bytes()));
}

/// A multiple of the block that is no multiple of the microkernel's 256 where that can be.
int64_t someColumns(Encoding encoding) { return blockElements(encoding) == 32 ? 416 : 768; }

class QuantizedLinear : public testing::TestWithParam<Encoding> {};
INSTANTIATE_TEST_SUITE_P(All, QuantizedLinear, testing::ValuesIn(encodings),
                         [](const auto &info) { return std::string(name(info.param)); });

TEST_P(QuantizedLinear, IsCloseToDecodingFirstForAllTargetsAndRows) {
  const int64_t in = someColumns(GetParam()), out = 70; // no multiple of a panel
  nn::Linear linear = drawLinear(GetParam(), out, in), first = decoded(linear);
  for (const std::string &target : targets()) {
    SCOPED_TRACE(target);
    auto model = linear.compile(CompileOptions{.target = target}, anyRows(in));
    auto reference = first.compile(CompileOptions{.target = target}, anyRows(in));
    EXPECT_THAT(model.stats().kernels, ElementsAre("dequantize_linear"));
    for (int64_t rows : {0, 1, 2, 3, 7, 8, 9, 64, 200}) {
      SCOPED_TRACE(rows);
      Tensor x = drawRows(rows, in, static_cast<unsigned>(rows) + 11);
      expectClose(model(x), reference(x));
      if (rows > 8) // panels are decoded, and the product is the same
        expectSameBits(model(x), reference(x));
    }
  }
}

TEST_P(QuantizedLinear, EagerIsCompiled) {
  const int64_t in = someColumns(GetParam());
  nn::Linear linear = drawLinear(GetParam(), 33, in);
  auto model = linear.compile(anyRows(in));
  for (int64_t rows : {1, 5, 30}) {
    Tensor x = drawRows(rows, in, 5);
    expectSameBits(linear(x), model(x));
  }
}

TEST_P(QuantizedLinear, WithoutTheFusionToo) {
  const int64_t in = someColumns(GetParam());
  nn::Linear linear = drawLinear(GetParam(), 21, in);
  const Tensor x = drawRows(3, in, 5);
  const Tensor expected = decoded(linear)(x);
  for (const char *pass : {"kiln-fuse-linear", "kiln-fuse-epilogue", "kiln-fuse-siblings",
                           "kiln-fuse-gather", "kiln-fuse-elementwise"}) {
    SCOPED_TRACE(pass);
    expectClose(linear.compile(CompileOptions{.disabledPasses = {pass}}, anyRows(in))(x), expected);
  }
  expectClose(linear.compile(
                  CompileOptions{.disabledPasses = {"kiln-fuse-linear", "kiln-fuse-epilogue",
                                                    "kiln-fuse-gather", "kiln-fuse-elementwise"}},
                  anyRows(in))(x),
              expected);
}

struct Mlp : nn::Module<Mlp> {
  nn::Linear up, down;
  nn::LayerNorm norm;
  KILN_FIELDS(up, down, norm)
  Mlp(nn::Linear up, nn::Linear down, int64_t dim)
      : up(std::move(up)), down(std::move(down)), norm(dim) {}
  Tensor operator()(const Tensor &x) const { return norm(x + down(gelu(up(x)))); }
};

TEST_P(QuantizedLinear, TakesInWhatFollows) {
  constexpr int64_t dim = 256, hidden = 512;
  nn::Linear up = drawLinear(GetParam(), hidden, dim), down = drawLinear(GetParam(), dim, hidden);
  Mlp packed(up, down, dim), plain(decoded(up), decoded(down), dim);
  auto model = packed.compile(anyRows(dim)), reference = plain.compile(anyRows(dim));
  EXPECT_THAT(model.stats().kernels,
              ElementsAre("dequantize_linear_gelu", "dequantize_linear_add_layer_norm"));
  for (int64_t rows : {1, 4, 50}) {
    Tensor x = drawRows(rows, dim, 23);
    expectClose(model(x), reference(x), 2e-5); // two products, one behind the other
  }
}

TEST_P(QuantizedLinear, KeepsWhatIsNotFinite) {
  const int64_t in = someColumns(GetParam());
  nn::Linear linear = drawLinear(GetParam(), 19, in), first = decoded(linear);
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (float special : {infinity, -infinity, nan, 3e38f, 1e-42f}) {
    auto values = drawRows(2, in, 29).toVector<float>();
    values[static_cast<std::size_t>(in) + 40] = special;
    Tensor x = Tensor::fromData(std::span<const float>(values), {2, in});
    auto got = linear(x).toVector<float>(), expected = first(x).toVector<float>();
    double most = 0;
    for (float value : expected)
      if (std::isfinite(value))
        most = std::max<double>(most, std::fabs(value));
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (std::isnan(expected[i]))
        EXPECT_TRUE(std::isnan(got[i]));
      else if (std::isinf(expected[i]))
        EXPECT_EQ(got[i], expected[i]);
      else
        EXPECT_NEAR(got[i], expected[i], 1e-5 * most);
    }
  }
  // Rows of numbers that all are tiny, or zero.
  Tensor tiny = drawRows(1, in, 3) * 1e-38f;
  expectClose(linear(tiny) - *linear.bias, first(tiny) - *first.bias);
  auto bare = nn::Linear(linear.weight, GetParam());
  expectClose(bare(tiny), decoded(bare)(tiny));
  expectSameBits(bare(Tensor::zeros({1, in})), Tensor::zeros({1, 19}));
}

TEST_P(QuantizedLinear, DoesNotDependOnThreads) {
  const int64_t in = someColumns(GetParam());
  nn::Linear linear = drawLinear(GetParam(), 700, in);
  auto model = linear.compile(anyRows(in));
  const int64_t before = threadCount();
  for (int64_t rows : {1, 6, 40}) {
    Tensor x = drawRows(rows, in, 31);
    setThreadCount(1);
    Tensor alone = model(x);
    alone.realize();
    for (int64_t threads : {2, 3, 8}) {
      setThreadCount(threads);
      expectSameBits(model(x), alone);
    }
  }
  setThreadCount(before);
}

TEST_P(QuantizedLinear, BoundsTheErrorOfInt8Activations) {
  const int64_t in = someColumns(GetParam()), out = 70;
  nn::Linear linear = drawLinear(GetParam(), out, in, /*bias=*/false), first = decoded(linear);
  auto weights = first.weight.toVector<float>();
  for (const std::string &target : targets()) {
    SCOPED_TRACE(target);
    auto model =
        linear.compile(CompileOptions{.target = target, .quantizedActivations = true}, anyRows(in));
    for (int64_t rows : {0, 1, 3, 4, 9, 40}) {
      Tensor x = drawRows(rows, in, static_cast<unsigned>(rows) + 41);
      auto values = x.toVector<float>();
      auto got = model(x).toVector<float>(), expected = first(x).toVector<float>();
      double error = 0;
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < out; ++column) {
          double bound = 0, size = 0;
          for (int64_t k = 0; k < in; k += 32) {
            double most = 0, sum = 0;
            for (int64_t i = k; i < k + 32; ++i) {
              const double value = values[static_cast<std::size_t>(row * in + i)];
              most = std::max(most, std::fabs(value));
              sum += std::fabs(weights[static_cast<std::size_t>(column * in + i)]);
            }
            bound += sum * most / 254;
            size += sum * most;
          }
          const auto at = static_cast<std::size_t>(row * out + column);
          // float32's own share: less than a millionth of the sum of products.
          ASSERT_NEAR(got[at], expected[at], bound + 1e-6 * size) << row << ", " << column;
          error = std::max(error, std::fabs(double(got[at]) - expected[at]));
        }
      if (rows) {
        EXPECT_GT(error, 1e-5 * largest(expected)) << "nothing was rounded";
      }
    }
  }
}

TEST(QuantizedLinears, ThatShareTheirInputAreOneKernel) {
  struct Heads : nn::Module<Heads> {
    nn::Linear q{512, 64, Encoding::Q4_K}, k{512, 32, Encoding::Q4_K}, v{512, 32, Encoding::Q6_K};
    KILN_FIELDS(q, k, v)
    std::tuple<Tensor, Tensor, Tensor> operator()(const Tensor &x) const {
      return {q(x), k(x), v(x)};
    }
  } heads;
  heads.q.weight = drawWeights(Encoding::Q4_K, 64, 512, 1);
  heads.k.weight = drawWeights(Encoding::Q4_K, 32, 512, 2);
  heads.v.weight = drawWeights(Encoding::Q6_K, 32, 512, 3);
  auto model = heads.compile(anyRows(512));
  EXPECT_EQ(model.stats().kernels.size(), 1u);
  for (int64_t rows : {1, 20}) {
    Tensor x = drawRows(rows, 512, 9);
    auto [q, k, v] = model(x);
    expectClose(q, decoded(heads.q)(x));
    expectClose(k, decoded(heads.k)(x));
    expectClose(v, decoded(heads.v)(x));
  }
}

TEST(QuantizedLinears, MayShareTheirWeightWithOthers) {
  struct Tied : nn::Module<Tied> {
    Tensor weight;
    KILN_FIELDS(weight)
    explicit Tied(Tensor weight) : weight(std::move(weight)) {}
    Tensor operator()(const Tensor &ids) const {
      Tensor table = dequantize(weight, Encoding::Q8_0);
      return matmul(gather(table, ids), table.T());
    }
  } tied(drawWeights(Encoding::Q8_0, 50, 64, 1));
  Tensor ids = Tensor::constant({3, 49, 0, 3}, DType::int32);
  Tensor table = dequantize(tied.weight, Encoding::Q8_0);
  table.realize();
  expectClose(tied.compile(TensorType(DType::int32, {"n"}))(ids),
              matmul(gather(table, ids), table.T()));
}

TEST(QuantizedLinears, TakeRowsOfAnyRankAndDtype) {
  nn::Linear linear = drawLinear(Encoding::Q4_K, 5, 256);
  EXPECT_EQ(linear(drawRows(6, 256, 1).reshape({2, 3, 256})).shape(), (Shape{2, 3, 5}));
  EXPECT_EQ(linear(drawRows(1, 256, 1).reshape({256})).shape(), (Shape{5}));
  expectClose(linear(drawRows(6, 256, 1).reshape({2, 3, 256})).reshape({6, 5}),
              linear(drawRows(6, 256, 1)));
}

template <class E, class F> std::string errorOf(F f) {
  try {
    f();
  } catch (const E &error) {
    EXPECT_THAT(error.what(), HasSubstr("(at QuantizedLinearTest.cpp:"));
    return error.what();
  }
  ADD_FAILURE() << "no error of this type";
  return "";
}

TEST(QuantizedLinears, KnowTheirSizesAndPrintThem) {
  nn::Linear linear(512, 10, Encoding::Q5_K);
  EXPECT_EQ(linear.inDim(), Dim(512));
  EXPECT_EQ(linear.outDim(), Dim(10));
  EXPECT_EQ(linear.weight.type(), TensorType(DType::uint8, {10, 352}));
  EXPECT_EQ(linear.bias->type(), TensorType(DType::float32, {10}));
  std::ostringstream os;
  os << linear << nn::Linear(32, 2, Encoding::Q4_0, false);
  EXPECT_EQ(os.str(), "Linear(in_dim=Dim(512), out_dim=Dim(10), encoding=Q5_K)"
                      "Linear(in_dim=Dim(32), out_dim=Dim(2), bias=false, encoding=Q4_0)");
  EXPECT_THAT(linear.parameters(), testing::SizeIs(2));
  EXPECT_EQ(linear(drawRows(2, 512, 1)).shape(), (Shape{2, 10}));
}

TEST(QuantizedLinears, SayWhatDoesNotFit) {
  EXPECT_THAT(errorOf<ValueError>([] { nn::Linear(300, 4, Encoding::Q4_K); }),
              HasSubstr("[Linear] rows of 300 elements, but the blocks of Q4_K have 256"));
  EXPECT_THAT(errorOf<TypeError>([] { nn::Linear(Dim("n"), 4, Encoding::Q4_K); }),
              HasSubstr("numbers, not n"));
  EXPECT_THAT(errorOf<ValueError>(
                  [] { nn::Linear(Tensor::zeros({4, 100}, DType::uint8), Encoding::Q6_K); }),
              HasSubstr("[Linear] rows of 100 bytes, but the blocks of Q6_K have 210"));
  EXPECT_THAT(errorOf<TypeError>([] { nn::Linear(Tensor::zeros({4, 144}), Encoding::Q4_K); }),
              HasSubstr("must be uint8"));
  EXPECT_THAT(
      errorOf<ValueError>([] { nn::Linear(Tensor::zeros({144}, DType::uint8), Encoding::Q4_K); }),
      HasSubstr("rank 2"));
  EXPECT_THAT(errorOf<ValueError>([] {
                nn::Linear(Tensor::zeros({4, 144}, DType::uint8), Encoding::Q4_K,
                           Tensor::zeros({5}));
              }),
              HasSubstr("does not fit"));
  EXPECT_THAT(
      errorOf<ValueError>([] { nn::Linear(256, 4, Encoding::Q4_K)(Tensor::zeros({1, 255})); }),
      HasSubstr("255"));
}

TEST(QuantizedLinears, LoadFromGguf) {
  const auto file = testing::TempDir() + "quantized-linear.gguf";
  Tensor weight = drawRows(6, 512, 3), bias = drawRows(1, 6, 4).reshape({6});
  io::saveGguf(file, {{"blk.0.ffn_up.weight", weight}, {"blk.0.ffn_up.bias", bias}}, {},
               {.encoding = Encoding::Q4_K});
  auto gguf = io::openGguf(file);
  nn::Linear linear(512, 6, *gguf.info("blk.0.ffn_up.weight").encoding);
  linear.loadState([&](const std::string &name) { return gguf["blk.0.ffn_up." + name]; });
  nn::Linear other(512, 6, Encoding::Q4_K);
  other.loadStateDict(gguf.withPrefix("blk.0.ffn_up."));
  Tensor x = drawRows(3, 512, 5);
  nn::Linear plain(gguf.dequantize("blk.0.ffn_up.weight"), bias);
  expectClose(linear(x), plain(x));
  expectSameBits(other(x), linear(x));
  nn::Linear wrong(512, 6, Encoding::Q6_K);
  EXPECT_THAT(errorOf<ValueError>([&] { wrong.loadStateDict(gguf.withPrefix("blk.0.ffn_up.")); }),
              HasSubstr("not assignable"));
}

} // namespace
