#include "KernelHarness.h"
#include "KernelText.h"

#include <cmath>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

class MatmulTest : public testing::TestWithParam<Target> {};

std::string matmulText(const std::string &dtype, const std::vector<std::string> &x,
                       const std::vector<std::string> &y, const std::vector<std::string> &result) {
  KernelText text;
  std::string a = text.argument(tensorType(dtype, x)), b = text.argument(tensorType(dtype, y));
  return text.finish({text.op("matmul", {a, b}, tensorType(dtype, result))});
}

/// One product [m, k] @ [k, n], in double, of matrices that start at offsets.
void multiply(const Data &x, int64_t xAt, const Data &y, int64_t yAt, int64_t m, int64_t k,
              int64_t n, std::vector<double> &result) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += x[xAt + i * k + p] * y[yAt + p * n + j];
      result.push_back(sum);
    }
}

TEST_P(MatmulTest, everySizeSymbolic) {
  CompiledKernel kernel(matmulText("f32", {"m", "k"}, {"k", "n"}, {"m", "n"}), GetParam());
  for (auto [m, k, n] : {std::array<int64_t, 3>{1, 1, 1},
                         {3, 0, 5},
                         {0, 4, 4},
                         {5, 7, 11},
                         {13, 256, 32},
                         {40, 257, 300},
                         {250, 64, 70},
                         {1, 600, 513}}) {
    SCOPED_TRACE(testing::Message() << m << "x" << k << "x" << n);
    Data x = Data::random(DType::float32, {m, k}, 1), y = Data::random(DType::float32, {k, n}, 2);
    std::vector<double> expected;
    multiply(x, 0, y, 0, m, k, n, expected);
    for (int threads : {1, 3}) {
      std::vector<Data> out = {Data(DType::float32, {m, n})};
      EXPECT_EQ(kernel.run({x, y}, out, {k, m, n}, threads), 0);
      expectNearRelative(out[0], expected, 1e-6);
    }
  }
}

// [3, 1, 5, 70] @ [2, 70, 9] -> [3, 2, 5, 9], and a factor of which each matrix is one number.
TEST_P(MatmulTest, batchesBroadcast) {
  CompiledKernel kernel(
      matmulText("f32", {"b", "1", "5", "70"}, {"2", "70", "9"}, {"b", "2", "5", "9"}), GetParam());
  Data x = Data::random(DType::float32, {3, 1, 5, 70}, 1);
  Data y = Data::random(DType::float32, {2, 70, 9}, 2);
  std::vector<double> expected;
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t h = 0; h < 2; ++h)
      multiply(x, b * 350, y, h * 630, 5, 70, 9, expected);
  std::vector<Data> out = {Data(DType::float32, {3, 2, 5, 9})};
  EXPECT_EQ(kernel.run({x, y}, out, {3}, 2), 0);
  expectNearRelative(out[0], expected, 1e-6);

  CompiledKernel single(matmulText("f32", {"4", "1", "1"}, {"1", "1"}, {"4", "1", "1"}),
                        GetParam());
  Data a = Data::random(DType::float32, {4, 1, 1}, 3), c = Data::random(DType::float32, {1, 1}, 4);
  out = {Data(DType::float32, {4, 1, 1})};
  EXPECT_EQ(single.run({a, c}, out, {}, 1), 0);
  expectNearRelative(out[0], {a[0] * c[0], a[1] * c[0], a[2] * c[0], a[3] * c[0]}, 1e-7);
}

// The same bits as a linear's: eager and compiled agree.
TEST_P(MatmulTest, sumsAsLinearDoes) {
  const int64_t m = 37, k = 700, n = 90;
  KernelText text;
  std::string x = text.argument(tensorType("f32", {"m", "700"}));
  std::string w = text.argument(tensorType("f32", {"90", "700"}));
  std::string turned =
      text.op("permute", {w}, tensorType("f32", {"700", "90"}), "axes = array<i64: 1, 0>");
  std::string product =
      text.finish({text.op("matmul", {x, turned}, tensorType("f32", {"m", "90"}))});
  KernelText other;
  std::string y = other.argument(tensorType("f32", {"m", "700"}));
  std::string v = other.argument(tensorType("f32", {"90", "700"}));
  std::string plain = other.finish(other.linear(y, {v}, {}, {tensorType("f32", {"m", "90"})}));
  Data input = Data::random(DType::float32, {m, k}, 1),
       weight = Data::random(DType::float32, {n, k}, 2);
  for (Precision precision : {Precision::highest, Precision::high, Precision::bf16}) {
    CompiledKernel matmul(product, GetParam(), precision), linear(plain, GetParam(), precision);
    std::vector<Data> one = {Data(DType::float32, {m, n})}, two = one;
    EXPECT_EQ(matmul.run({input, weight}, one, {m}, 2), 0);
    EXPECT_EQ(linear.run({input, weight}, two, {m}, 1), 0);
    EXPECT_EQ(one[0].bytes, two[0].bytes) << int(precision);
  }
}

// relu(x @ exp(y) - row): operations before and behind.
TEST_P(MatmulTest, elementwiseAround) {
  KernelText text;
  std::string x = text.argument(tensorType("f32", {"m", "40"}));
  std::string y = text.argument(tensorType("f32", {"40", "50"}));
  std::string row = text.argument(tensorType("f32", {"50"}));
  std::string result = tensorType("f32", {"m", "50"});
  std::string z =
      text.op("matmul", {x, text.op("abs", {y}, tensorType("f32", {"40", "50"}))}, result);
  z = text.op("relu", {text.op("sub", {z, row}, result)}, result);
  CompiledKernel kernel(text.finish({z}), GetParam());
  Data a = Data::random(DType::float32, {21, 40}, 1), b = Data::random(DType::float32, {40, 50}, 2);
  Data c = Data::random(DType::float32, {50}, 3), magnitude = b;
  for (int64_t i = 0; i < b.size(); ++i)
    magnitude.set(i, std::abs(b[i]));
  std::vector<double> expected;
  multiply(a, 0, magnitude, 0, 21, 40, 50, expected);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = std::max(0., expected[i] - c[i % 50]);
  std::vector<Data> out = {Data(DType::float32, {21, 50})};
  EXPECT_EQ(kernel.run({a, b, c}, out, {21}, 2), 0);
  expectNearRelative(out[0], expected, 1e-6);
}

TEST_P(MatmulTest, otherDTypes) {
  const int64_t m = 5, k = 33, n = 21;
  for (auto [name, tolerance] : {std::pair{"f64", 1e-15},
                                 {"bf16", 0x1p-9},
                                 {"f16", 0x1p-11},
                                 {"i64", 0.},
                                 {"i32", 0.},
                                 {"i8", 0.},
                                 {"ui16", 0.}}) {
    SCOPED_TRACE(name);
    CompiledKernel kernel(matmulText(name, {"m", "33"}, {"33", "n"}, {"m", "n"}), GetParam());
    DType dtype = name == std::string("ui16") ? DType::uint16 : *parseDType(name);
    auto make = [&](std::vector<int64_t> shape, uint32_t seed) {
      return isFloat(dtype) ? Data::random(dtype, shape, seed)
                            : Data::randomIntegers(dtype, shape, seed, 0, 2);
    };
    Data x = make({m, k}, 1), y = make({k, n}, 2);
    std::vector<double> expected;
    multiply(x, 0, y, 0, m, k, n, expected);
    std::vector<Data> out = {Data(dtype, {m, n})};
    EXPECT_EQ(kernel.run({x, y}, out, {m, n}, 2), 0);
    expectNearRelative(out[0], expected, tolerance);
  }
}

TEST_P(MatmulTest, refusesWhatItCannotHold) {
  KernelText text;
  std::string x = text.argument(tensorType("f32", {"m", "8"}));
  std::string y = text.argument(tensorType("f32", {"8", "8"}));
  std::string z = text.op("matmul", {x, y}, tensorType("f32", {"m", "8"}));
  z = text.op("permute", {z}, tensorType("f32", {"8", "m"}), "axes = array<i64: 1, 0>");
  EXPECT_THAT(CompiledKernel(text.finish({z}), GetParam()).refusal,
              testing::HasSubstr("cannot follow it"));
}

INSTANTIATE_TEST_SUITE_P(Targets, MatmulTest, testing::ValuesIn(productTargets()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
