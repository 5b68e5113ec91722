#include "KernelHarness.h"
#include "KernelText.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

class LinearTest : public testing::TestWithParam<Target> {};

/// x @ W.T + b in double; W [N, K], b may be null.
std::vector<double> reference(const Data &x, const Data &weight, const Data *bias) {
  int64_t n = weight.shape[0], k = weight.shape[1], m = k ? x.size() / k : x.shape[0];
  std::vector<double> result(m * n);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += x[i * k + p] * weight[j * k + p];
      result[i * n + j] = sum + (bias ? (*bias)[j] : 0);
    }
  return result;
}

// float32 with sums of up to 1000 products: 1e-6 of the largest result is a few roundings.
TEST_P(LinearTest, isTheProductAndBias) {
  for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {37, 259}, {96, 64}, {64, 512}, {5, 0}}) {
    CompiledKernel kernel(plainLinear("f32", n, k), GetParam());
    Data weight = Data::random(DType::float32, {n, k}, 1),
         bias = Data::random(DType::float32, {n}, 2);
    for (int64_t m : {0, 1, 2, 3, 5, 7, 8, 12, 13, 14, 31, 121, 130}) {
      SCOPED_TRACE(testing::Message() << m << "x" << k << "x" << n);
      Data x = Data::random(DType::float32, {m, k}, 3);
      std::vector<double> expected = reference(x, weight, &bias);
      for (int threads : {1, 3}) {
        std::vector<Data> out = {Data(DType::float32, {m, n})};
        EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, threads), 0);
        expectNearRelative(out[0], expected, 1e-6);
      }
    }
  }
}

TEST_P(LinearTest, aRowDoesNotDependOnTheOthers) {
  for (DType dtype : {DType::float32, DType::bfloat16}) {
    const int64_t n = 200, k = 300, m = 250;
    CompiledKernel kernel(plainLinear(shortName(dtype).data(), n, k), GetParam());
    Data weight = Data::random(dtype, {n, k}, 1), bias = Data::random(dtype, {n}, 2);
    Data x = Data::random(dtype, {m, k}, 3);
    std::vector<Data> all = {Data(dtype, {m, n})};
    kernel.run({x, weight, bias}, all, {m}, 2);
    for (int64_t rows : {1, 2, 3, 4, 5, 6, 9, 11, 24, 125}) {
      Data part(dtype, {rows, k});
      std::copy_n(x.bytes.end() - part.bytes.size(), part.bytes.size(), part.bytes.begin());
      std::vector<Data> out = {Data(dtype, {rows, n})};
      kernel.run({part, weight, bias}, out, {rows}, 1);
      EXPECT_TRUE(std::equal(out[0].bytes.rbegin(), out[0].bytes.rend(), all[0].bytes.rbegin()))
          << rows << " rows";
    }
  }
}

/// As they are multiplied: rounded to bfloat16, and kept in `dtype`.
Data rounded(const Data &data, DType dtype) {
  Data narrow(DType::bfloat16, data.shape), result(dtype, data.shape);
  for (int64_t i = 0; i < data.size(); ++i) {
    narrow.set(i, data[i]);
    result.set(i, narrow[i]);
  }
  return result;
}

// Products of bfloat16 are exact and their sums float32: 1e-6 of the largest result, and half a
// last place (of 8 bits) where that is rounded to bfloat16.
TEST_P(LinearTest, ofBFloat16) {
  for (DType dtype : {DType::bfloat16, DType::float32})
    for (auto [n, k] :
         {std::pair<int64_t, int64_t>{1, 1}, {37, 259}, {96, 64}, {65, 545}, {5, 0}}) {
      CompiledKernel kernel(plainLinear(shortName(dtype).data(), n, k), GetParam(),
                            Precision::bf16);
      Data weight = rounded(Data::random(dtype, {n, k}, 1), dtype),
           bias = Data::random(dtype, {n}, 2);
      for (int64_t m : {0, 1, 2, 3, 5, 7, 12, 13, 16, 17, 31, 33, 121, 260}) {
        SCOPED_TRACE(testing::Message() << shortName(dtype) << " " << m << "x" << k << "x" << n);
        Data x = rounded(Data::random(dtype, {m, k}, 3), dtype);
        std::vector<double> expected = reference(x, weight, &bias);
        for (int threads : {1, 3}) {
          std::vector<Data> out = {Data(dtype, {m, n})};
          EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, threads), 0);
          expectNearRelative(out[0], expected, dtype == DType::float32 ? 1e-6 : 0x1.02p-8);
        }
      }
    }
}

// Of float32: twice 2^-9 of each product, which mostly cancels in sums.
TEST_P(LinearTest, precisionBf16RoundsOperands) {
  const int64_t m = 40, k = 300, n = 70;
  CompiledKernel kernel(plainLinear("f32", n, k), GetParam(), Precision::bf16);
  Data weight = Data::random(DType::float32, {n, k}, 1), bias(DType::float32, {n});
  Data x = Data::random(DType::float32, {m, k}, 3);
  std::vector<Data> out = {Data(DType::float32, {m, n})};
  EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, 2), 0);
  bool rounds = GetParam().forPasses().bf16;
  expectNearRelative(out[0], reference(x, weight, nullptr), rounds ? 5e-3 : 1e-6);
  if (rounds)
    expectNearRelative(
        out[0], reference(rounded(x, DType::float32), rounded(weight, DType::float32), nullptr),
        1e-6);
}

/// Whether float32 is multiplied in two parts with Precision::high.
bool hasParts(const Target &target) { return target.forPasses().tiles; }

// Each product is off by at most 2^-15 of it (2^-17 for the rounding of each rest, 2^-16 for the
// product of the rests, which is left out); in sums that mostly cancels: 3.4e-6 of 301 products.
TEST_P(LinearTest, precisionHighMultipliesInTwoParts) {
  for (auto [n, k] :
       {std::pair<int64_t, int64_t>{1, 1}, {37, 259}, {96, 64}, {65, 545}, {130, 33}, {5, 0}}) {
    CompiledKernel kernel(plainLinear("f32", n, k), GetParam(), Precision::high);
    Data weight = Data::random(DType::float32, {n, k}, 1),
         bias = Data::random(DType::float32, {n}, 2);
    const bool parts = hasParts(GetParam()) && k >= 32;
    for (int64_t m : {0, 1, 2, 3, 5, 7, 12, 13, 16, 17, 31, 33, 121, 260}) {
      SCOPED_TRACE(testing::Message() << m << "x" << k << "x" << n);
      Data x = Data::random(DType::float32, {m, k}, 3);
      std::vector<double> expected = reference(x, weight, &bias);
      for (int threads : {1, 3}) {
        std::vector<Data> out = {Data(DType::float32, {m, n})};
        EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, threads), 0);
        expectNearRelative(out[0], expected, parts ? 1e-5 : 1e-6);
      }
    }
  }
}

// What a vector holds beyond its run, or beyond a block of products, reaches no neighbour.
TEST_P(LinearTest, runsInTwoParts) {
  for (int64_t run : {7, 16, 21, 50}) {
    SCOPED_TRACE(run);
    const int64_t count = 600 / run + 1, k = count * run, m = 19, n = 30;
    auto dim = [](int64_t size) { return std::to_string(size); };
    KernelText text;
    std::string x = text.argument(tensorType("f32", {"m", dim(count), dim(run)}));
    std::string w = text.argument(tensorType("f32", {dim(n), dim(k)}));
    std::string joined = text.op("reshape", {x}, tensorType("f32", {"m", dim(k)}),
                                 "shape = #kiln.dims<m, " + dim(k) + ">");
    CompiledKernel kernel(
        text.finish(text.linear(joined, {w}, {}, {tensorType("f32", {"m", dim(n)})})), GetParam(),
        Precision::high);
    Data rows = Data::random(DType::float32, {m, count, run}, 1);
    Data weight = Data::random(DType::float32, {n, k}, 2);
    std::vector<Data> out = {Data(DType::float32, {m, n})};
    EXPECT_EQ(kernel.run({rows, weight}, out, {m}, 2), 0);
    rows.shape = {m, k};
    expectNearRelative(out[0], reference(rows, weight, nullptr),
                       hasParts(GetParam()) ? 1e-5 : 1e-6);
  }
}

/// The largest error, relative to the largest result.
double errorOf(const Data &actual, const std::vector<double> &expected) {
  double error = 0, largest = 0;
  for (int64_t i = 0; i < actual.size(); ++i) {
    error = std::max(error, std::abs(actual[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return error / largest;
}

TEST_P(LinearTest, precisionHighIsBetweenTheOthers) {
  const int64_t m = 40, k = 301, n = 70;
  Data weight = Data::random(DType::float32, {n, k}, 1), bias(DType::float32, {n});
  Data x = Data::random(DType::float32, {m, k}, 3);
  std::vector<double> expected = reference(x, weight, nullptr);
  auto error = [&](Precision precision) {
    CompiledKernel kernel(plainLinear("f32", n, k), GetParam(), precision);
    std::vector<Data> out = {Data(DType::float32, {m, n})};
    EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, 2), 0);
    return errorOf(out[0], expected);
  };
  const double highest = error(Precision::highest), high = error(Precision::high);
  RecordProperty("high", (testing::Message() << high).GetString());
  if (!hasParts(GetParam())) {
    EXPECT_EQ(high, highest);
    return;
  }
  EXPECT_LT(highest, high);
  EXPECT_LT(high * 100, error(Precision::bf16));
  EXPECT_LT(high, 1e-5);
}

TEST_P(LinearTest, aRowInTwoPartsDoesNotDependOnTheOthers) {
  const int64_t n = 200, k = 301, m = 250;
  CompiledKernel kernel(plainLinear("f32", n, k), GetParam(), Precision::high);
  Data weight = Data::random(DType::float32, {n, k}, 1),
       bias = Data::random(DType::float32, {n}, 2);
  Data x = Data::random(DType::float32, {m, k}, 3);
  std::vector<Data> all = {Data(DType::float32, {m, n})};
  kernel.run({x, weight, bias}, all, {m}, 2);
  for (int64_t rows : {1, 2, 3, 6, 9, 17, 33, 125}) {
    Data part(DType::float32, {rows, k});
    std::copy_n(x.bytes.end() - part.bytes.size(), part.bytes.size(), part.bytes.begin());
    std::vector<Data> out = {Data(DType::float32, {rows, n})};
    kernel.run({part, weight, bias}, out, {rows}, 1);
    EXPECT_TRUE(std::equal(out[0].bytes.rbegin(), out[0].bytes.rend(), all[0].bytes.rbegin()))
        << rows << " rows";
  }
}

// Infinity less the infinity that it is in bfloat16 is NaN: not finite, and in its row alone.
TEST_P(LinearTest, infinitiesInTwoPartsStayInTheirRow) {
  const int64_t m = 20, k = 67, n = 70;
  CompiledKernel kernel(plainLinear("f32", n, k), GetParam(), Precision::high);
  Data weight = Data::random(DType::float32, {n, k}, 1, 0.5, 1), bias(DType::float32, {n});
  Data x = Data::random(DType::float32, {m, k}, 3, 0.5, 1);
  x.set(3 * k + 5, std::numeric_limits<double>::infinity());
  x.set(17 * k + 66, std::nan(""));
  std::vector<Data> out = {Data(DType::float32, {m, n})};
  EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, 1), 0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      EXPECT_EQ(std::isfinite(out[0][i * n + j]), i != 3 && i != 17) << i << " " << j;
}

TEST_P(LinearTest, infinitiesAndNaNsStayInTheirRow) {
  const int64_t m = 20, k = 67, n = 70;
  CompiledKernel kernel(plainLinear("bf16", n, k), GetParam());
  Data weight = Data::random(DType::bfloat16, {n, k}, 1, 0.5, 1), bias(DType::bfloat16, {n});
  Data x = Data::random(DType::bfloat16, {m, k}, 3, 0.5, 1);
  const double infinity = std::numeric_limits<double>::infinity();
  x.set(3 * k + 5, infinity);
  x.set(7 * k + 66, -infinity);
  x.set(17 * k + 40, std::nan(""));
  std::vector<Data> out = {Data(DType::bfloat16, {m, n})};
  EXPECT_EQ(kernel.run({x, weight, bias}, out, {m}, 1), 0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double value = out[0][i * n + j];
      if (i == 17)
        EXPECT_TRUE(std::isnan(value));
      else if (i == 3 || i == 7)
        EXPECT_EQ(value, i == 3 ? infinity : -infinity);
      else
        EXPECT_TRUE(value > 0 && value < k) << i << " " << j << " " << value;
    }
}

// Bit for bit: the emulation does what Intel's manual says, step by step.
TEST(Tiles, DoAsTheirEmulation) {
  Target tiles = llvm::cantFail(Target::byName("avx512+avx512bf16+amx-tile+amx-bf16"));
  if (llvm::Error error = tiles.checkRunsOn())
    GTEST_SKIP() << llvm::toString(std::move(error));
  Target emulated = tiles;
  emulated.tilesEmulated = true;
  const int64_t m = 75, k = 545, n = 90;
  Data x = Data::random(DType::bfloat16, {m, k}, 1), bias = Data::random(DType::bfloat16, {n}, 2);
  Data weight = Data::random(DType::bfloat16, {n, k}, 3);
  std::vector<Data> real = {Data(DType::bfloat16, {m, n})}, other = real;
  CompiledKernel(plainLinear("bf16", n, k), tiles).run({x, weight, bias}, real, {m}, 2);
  CompiledKernel(plainLinear("bf16", n, k), emulated).run({x, weight, bias}, other, {m}, 2);
  EXPECT_EQ(real[0].bytes, other[0].bytes);
}

INSTANTIATE_TEST_SUITE_P(Targets, LinearTest, testing::ValuesIn(productTargets()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
