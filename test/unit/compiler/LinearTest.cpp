#include "KernelHarness.h"
#include "KernelText.h"

#include <cmath>

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
  const int64_t n = 200, k = 300, m = 250;
  CompiledKernel kernel(plainLinear("f32", n, k), GetParam());
  Data weight = Data::random(DType::float32, {n, k}, 1),
       bias = Data::random(DType::float32, {n}, 2);
  Data x = Data::random(DType::float32, {m, k}, 3);
  std::vector<Data> all = {Data(DType::float32, {m, n})};
  kernel.run({x, weight, bias}, all, {m}, 2);
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 9, 11, 24, 125}) {
    Data part(DType::float32, {rows, k});
    std::copy_n(x.bytes.end() - part.bytes.size(), part.bytes.size(), part.bytes.begin());
    std::vector<Data> out = {Data(DType::float32, {rows, n})};
    kernel.run({part, weight, bias}, out, {rows}, 1);
    EXPECT_TRUE(std::equal(out[0].bytes.rbegin(), out[0].bytes.rend(), all[0].bytes.rbegin()))
        << rows << " rows";
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, LinearTest, testing::ValuesIn(Target::allOnHost()),
                         [](const auto &info) { return targetTestName(info.param); });

} // namespace
