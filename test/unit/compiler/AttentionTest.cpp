#include "KernelHarness.h"
#include "KernelText.h"

#include <array>
#include <cmath>
#include <cstdio>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

class AttentionTest : public testing::TestWithParam<Target> {};

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Sizes {
  int64_t batch, heads, keyHeads, queries, keys, depth, columns;
};

/// softmax(q kᵀ * scale + mask) v in double; `mask(b, h, i, j)` is added. A query with nothing to
/// attend to gives zeros.
template <class Mask>
std::vector<double> reference(const Sizes &s, bool headsLast, const Data &q, const Data &k,
                              const Data &v, double scale, Mask mask) {
  auto at = [&](int64_t b, int64_t h, int64_t i, int64_t heads, int64_t rows, int64_t width) {
    return (headsLast ? (b * rows + i) * heads + h : (b * heads + h) * rows + i) * width;
  };
  std::vector<double> result(s.batch * s.heads * s.queries * s.columns);
  std::vector<double> scores(s.keys);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i) {
        int64_t hk = h / (s.heads / s.keyHeads);
        double largest = -infinity, sum = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          double score = 0;
          for (int64_t d = 0; d < s.depth; ++d)
            score += q[at(b, h, i, s.heads, s.queries, s.depth) + d] *
                     k[at(b, hk, j, s.keyHeads, s.keys, s.depth) + d];
          scores[j] = score * scale + mask(b, h, i, j);
          largest = std::max(largest, scores[j]);
        }
        for (double &score : scores)
          sum += score = largest == -infinity ? 0 : std::exp(score - largest);
        for (int64_t e = 0; e < s.columns; ++e) {
          double value = 0;
          for (int64_t j = 0; j < s.keys && sum > 0; ++j)
            value += scores[j] / sum * v[at(b, hk, j, s.keyHeads, s.keys, s.columns) + e];
          result[at(b, h, i, s.heads, s.queries, s.columns) + e] = value;
        }
      }
  return result;
}

/// The kernel with symbolic batch and lengths; `maskType` may be empty.
std::string attentionText(const Sizes &s, bool headsLast, const std::string &maskType, double scale,
                          const std::string &dtype = "f32") {
  auto type = [&](const char *rows, int64_t heads, int64_t width) {
    std::vector<std::string> dims = {"b", std::to_string(heads), rows, std::to_string(width)};
    if (headsLast)
      std::swap(dims[1], dims[2]);
    return tensorType(dtype, dims);
  };
  KernelText text;
  std::vector<std::string> operands = {text.argument(type("s", s.heads, s.depth)),
                                       text.argument(type("t", s.keyHeads, s.depth)),
                                       text.argument(type("t", s.keyHeads, s.columns))};
  if (!maskType.empty())
    operands.push_back(text.argument(maskType));
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.17e", scale);
  std::string attributes = std::string("scale = ") + digits + " : f64, layout = \"" +
                           (headsLast ? "bshd" : "bhsd") + "\"";
  return text.finish({text.op("attention", operands, type("s", s.heads, s.columns), attributes)});
}

struct Operands {
  Data q, k, v;
  Operands(const Sizes &s, bool headsLast, DType dtype = DType::float32) {
    auto shape = [&](int64_t heads, int64_t rows, int64_t width) {
      return headsLast ? std::vector<int64_t>{s.batch, rows, heads, width}
                       : std::vector<int64_t>{s.batch, heads, rows, width};
    };
    q = Data::random(dtype, shape(s.heads, s.queries, s.depth), 1, -2, 2);
    k = Data::random(dtype, shape(s.keyHeads, s.keys, s.depth), 2, -2, 2);
    v = Data::random(dtype, shape(s.keyHeads, s.keys, s.columns), 3);
  }
};

// Weights sum to 1 and |v| <= 1: 2e-6 is some ten roundings of the scores (up to 30 here).
void expectNear(const Data &actual, const std::vector<double> &expected, double tolerance = 2e-6) {
  ASSERT_EQ(actual.size(), int64_t(expected.size()));
  for (int64_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

TEST_P(AttentionTest, withoutMask) {
  for (bool headsLast : {false, true})
    for (Sizes s :
         {Sizes{2, 4, 2, 0, 0, 32, 32}, {1, 3, 3, 0, 0, 5, 7}, {1, 2, 1, 0, 0, 300, 40}}) {
      double scale = 1 / std::sqrt(double(s.depth));
      CompiledKernel kernel(attentionText(s, headsLast, "", scale), GetParam());
      for (auto [queries, keys] : {std::pair<int64_t, int64_t>{1, 1},
                                   {5, 5},
                                   {17, 33},
                                   {128, 128},
                                   {3, 600},
                                   {150, 257},
                                   {4, 0},
                                   {0, 4}}) {
        s.queries = queries;
        s.keys = keys;
        SCOPED_TRACE(testing::Message()
                     << queries << " queries, " << keys << " keys of " << s.depth);
        Operands o(s, headsLast);
        std::vector<double> expected =
            reference(s, headsLast, o.q, o.k, o.v, scale, [](auto...) { return 0.; });
        for (int threads : {1, 3}) {
          std::vector<Data> out = {Data(DType::float32, o.q.shape)};
          out[0].shape.back() = s.columns;
          out[0] = Data(DType::float32, out[0].shape);
          EXPECT_EQ(kernel.run({o.q, o.k, o.v}, out, {s.batch, queries, keys}, threads), 0);
          expectNear(out[0], expected);
        }
      }
    }
}

// A padding mask of booleans [b, 1, 1, t]: whole blocks masked, first or last, and whole rows.
TEST_P(AttentionTest, booleanMask) {
  Sizes s{4, 2, 2, 9, 530, 16, 16};
  CompiledKernel kernel(attentionText(s, true, tensorType("i1", {"b", "1", "1", "t"}), 0.25),
                        GetParam());
  Operands o(s, true);
  Data mask(DType::boolean, {s.batch, 1, 1, s.keys});
  for (int64_t j = 0; j < s.keys; ++j) {
    mask.set(j, j < 77);            // the end is padding
    mask.set(s.keys + j, j >= 300); // the first block is
    mask.set(2 * s.keys + j, 0);    // all is: zeros
    mask.set(3 * s.keys + j, j % 3 == 0);
  }
  std::vector<double> expected =
      reference(s, true, o.q, o.k, o.v, 0.25, [&](int64_t b, int64_t, int64_t, int64_t j) {
        return mask[b * s.keys + j] ? 0. : -infinity;
      });
  std::vector<Data> out = {Data(DType::float32, o.q.shape)};
  EXPECT_EQ(kernel.run({o.q, o.k, o.v, mask}, out, {s.batch, s.queries, s.keys}, 2), 0);
  expectNear(out[0], expected);
}

// A bias of floats for each head, query and key.
TEST_P(AttentionTest, floatMask) {
  Sizes s{2, 3, 1, 30, 41, 24, 8};
  CompiledKernel kernel(attentionText(s, false, tensorType("f32", {"3", "s", "t"}), 0.2),
                        GetParam());
  Operands o(s, false);
  Data mask = Data::random(DType::float32, {3, s.queries, s.keys}, 9, -3, 3);
  std::vector<double> expected =
      reference(s, false, o.q, o.k, o.v, 0.2, [&](int64_t, int64_t h, int64_t i, int64_t j) {
        return mask[(h * s.queries + i) * s.keys + j];
      });
  std::vector<Data> out = {Data(DType::float32, {s.batch, s.heads, s.queries, s.columns})};
  EXPECT_EQ(kernel.run({o.q, o.k, o.v, mask}, out, {s.batch, s.queries, s.keys}, 2), 0);
  expectNear(out[0], expected);
}

// The lowest number is no infinity: a query whose keys all have it attends to all of them alike,
// and one with infinities to none. In several blocks of keys, of which the first has nothing.
TEST_P(AttentionTest, lowestMask) {
  Sizes s{1, 2, 2, 3, 300, 32, 16};
  CompiledKernel kernel(attentionText(s, false, tensorType("f32", {"2", "s", "t"}), 0.2),
                        GetParam());
  Operands o(s, false);
  Data mask(DType::float32, {2, s.queries, s.keys});
  for (int64_t i = 0; i < mask.size(); ++i) {
    int64_t query = i / s.keys % s.queries, key = i % s.keys;
    mask.set(i, query == 0   ? std::numeric_limits<float>::lowest()
                : query == 1 ? -infinity
                : key < 256  ? -infinity
                             : 0);
  }
  std::vector<double> expected =
      reference(s, false, o.q, o.k, o.v, 0.2, [&](int64_t, int64_t h, int64_t i, int64_t j) {
        return i == 0 ? -1e30 : mask[(h * s.queries + i) * s.keys + j]; // 1e30 + score = 1e30
      });
  std::vector<Data> out = {Data(DType::float32, {s.batch, s.heads, s.queries, s.columns})};
  EXPECT_EQ(kernel.run({o.q, o.k, o.v, mask}, out, {s.batch, s.queries, s.keys}, 2), 0);
  expectNear(out[0], expected);
}

// A sentence gives the same bits alone and as one of many.
TEST_P(AttentionTest, aHeadDoesNotDependOnTheOthers) {
  Sizes s{3, 4, 4, 50, 50, 32, 32};
  CompiledKernel kernel(attentionText(s, true, "", 0.2), GetParam());
  Operands o(s, true);
  std::vector<Data> all = {Data(DType::float32, o.q.shape)};
  kernel.run({o.q, o.k, o.v}, all, {3, 50, 50}, 2);
  std::vector<Data> parts;
  for (const Data *data : {&o.q, &o.k, &o.v}) {
    Data part(DType::float32, {1, 50, 4, 32});
    std::copy_n(data->bytes.end() - part.bytes.size(), part.bytes.size(), part.bytes.begin());
    parts.push_back(part);
  }
  std::vector<Data> one = {Data(DType::float32, {1, 50, 4, 32})};
  kernel.run(parts, one, {1, 50, 50}, 1);
  EXPECT_TRUE(std::equal(one[0].bytes.rbegin(), one[0].bytes.rend(), all[0].bytes.rbegin()));
}

TEST_P(AttentionTest, notANumber) {
  Sizes s{1, 1, 1, 3, 20, 8, 8};
  CompiledKernel kernel(attentionText(s, false, "", 1), GetParam());
  Operands o(s, false);
  o.q.set(8, std::nan("")); // of the second query
  std::vector<Data> out = {Data(DType::float32, {1, 1, 3, 8})};
  kernel.run({o.q, o.k, o.v}, out, {1, 3, 20}, 1);
  for (int64_t e = 0; e < 8; ++e) {
    EXPECT_FALSE(std::isnan(out[0][e]));
    EXPECT_TRUE(std::isnan(out[0][8 + e]));
    EXPECT_FALSE(std::isnan(out[0][16 + e]));
  }
}

// Computed in float32, rounded once: half a unit in the last place of values up to 1. Some heads,
// and more queries and keys than a block has.
TEST_P(AttentionTest, narrowFloats) {
  for (auto [name, tolerance] : {std::pair{"bf16", 0x1p-9}, {"f16", 0x1p-12}})
    for (auto [queries, keys, width] : {std::array<int64_t, 3>{20, 30, 16}, {170, 301, 32}}) {
      DType dtype = *parseDType(name);
      Sizes s{1, 2, 2, queries, keys, width, width};
      CompiledKernel kernel(attentionText(s, true, "", 0.25, name), GetParam());
      Operands o(s, true, dtype);
      std::vector<Data> out = {Data(dtype, o.q.shape)};
      EXPECT_EQ(kernel.run({o.q, o.k, o.v}, out, {1, queries, keys}, 1), 0);
      // Products in pairs round the weights of v as well.
      bool inPairs = dtype == DType::bfloat16 && GetParam().forPasses().bf16;
      expectNear(out[0], reference(s, true, o.q, o.k, o.v, 0.25, [](auto...) { return 0.; }),
                 (inPairs ? 2 : 1) * tolerance + 2e-6);
    }
}

// Operands and the weights of v rounded to bfloat16: 2^-9 each of values up to 1, and scores that
// are off by up to 0.02 where depth is 270.
TEST_P(AttentionTest, precisionBf16) {
  std::string q = tensorType("f32", {"h", "s", "d"}), kv = tensorType("f32", {"h", "t", "d"});
  KernelText text;
  std::string a = text.argument(q), b = text.argument(kv), c = text.argument(kv);
  CompiledKernel kernel(text.finish({text.op("attention", {a, b, c}, q, "scale = 0.0625 : f64")}),
                        GetParam(), Precision::bf16);
  for (int64_t depth : {1, 31, 32, 64, 256, 270})
    for (int64_t keys : {1, 41, 300}) {
      SCOPED_TRACE(testing::Message() << depth << " " << keys);
      Sizes s{1, 2, 2, 29, keys, depth, depth};
      Operands o(s, false);
      std::vector<Data> out = {Data(DType::float32, {2, 29, depth})};
      EXPECT_EQ(kernel.run({o.q, o.k, o.v}, out, {depth, 2, 29, keys}, 2), 0);
      expectNear(out[0], reference(s, false, o.q, o.k, o.v, 0.0625, [](auto...) { return 0.; }),
                 8e-3);
    }
}

// Sizes of eager calls are all symbolic.
TEST_P(AttentionTest, everythingSymbolic) {
  std::string q = tensorType("f32", {"h", "s", "d"}), kv = tensorType("f32", {"h", "t", "d"});
  KernelText text;
  std::string a = text.argument(q), b = text.argument(kv), c = text.argument(kv);
  std::string y = text.op("attention", {a, b, c}, q, "scale = 0.0625 : f64");
  CompiledKernel kernel(text.finish({text.op("neg", {y}, q)}), GetParam());
  for (int64_t depth : {0, 1, 31, 64, 256, 270}) {
    Sizes s{1, 2, 2, 13, 40, depth, depth};
    Operands o(s, false);
    std::vector<double> expected =
        reference(s, false, o.q, o.k, o.v, 0.0625, [](auto...) { return 0.; });
    for (double &value : expected)
      value = -value;
    std::vector<Data> out = {Data(DType::float32, {2, 13, depth})};
    EXPECT_EQ(kernel.run({o.q, o.k, o.v}, out, {depth, 2, 13, 40}, 2), 0);
    expectNear(out[0], expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionTest, testing::ValuesIn(productTargets()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
