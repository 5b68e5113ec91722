#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

namespace {

struct Feed : nn::Module<Feed> {
  nn::Linear gate, up, down;
  KILN_FIELDS(gate, up, down)
  Tensor operator()(const Tensor &x) const { return down(silu(gate(x)) * up(x)); }
};
struct Heads : nn::Module<Heads> {
  nn::Linear q, k, v;
  KILN_FIELDS(q, k, v)
  std::tuple<Tensor, Tensor, Tensor> operator()(const Tensor &x) const {
    return {q(x), k(x), v(x) + 1};
  }
};
struct Embedded : nn::Module<Embedded> {
  Tensor table;
  nn::Linear linear;
  nn::LayerNorm norm;
  KILN_FIELDS(table, linear, norm)
  Tensor operator()(const Tensor &indices) const {
    Tensor x = gather(table, indices, 0);
    return norm(linear(x) + x);
  }
};
struct Mixed : nn::Module<Mixed> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const {
    return matmul(x * 2 - 1, weight.cast(DType::float32).transpose(0, 1));
  }
};

/// Products of few rows, and such as are cut along k, on the accelerator, executed from their PTX,
/// against the same on the CPU.
class ThinProductsTest : public testing::Test {
protected:
  ThinProductsTest() : scope(DType::float32, CPU()) { random::seed(17); }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::machine().isReversed = false;
    standin::forgive();
  }

  static std::vector<float> values(const Tensor &tensor) {
    return tensor.to(CPU()).cast(DType::float32).toVector<float>();
  }
  static std::vector<std::vector<float>> allValues(const Tensor &result) {
    return {values(result)};
  }
  template <class... T>
  static std::vector<std::vector<float>> allValues(const std::tuple<T...> &results) {
    return std::apply([](const auto &...result) { return std::vector{values(result)...}; },
                      results);
  }

  /// Names of the kernels that ran. `tolerance`: relative to the largest result.
  template <class Module>
  std::vector<std::string> compare(Module model, const TensorType &type, const Tensor &input,
                                   double tolerance) {
    auto expected = allValues(model(input));
    model.to(Accelerator());
    auto compiled = model.compile(type);
    Tensor there = input.to(Accelerator());
    allValues(compiled(there)); // what is copied is there
    standin::clearLog();
    std::vector<std::vector<float>> first;
    for (bool isReversed : {false, true}) {
      standin::machine().isReversed = isReversed;
      auto got = allValues(compiled(there));
      EXPECT_EQ(got.size(), expected.size());
      for (std::size_t result = 0; result < got.size(); ++result) {
        EXPECT_EQ(got[result].size(), expected[result].size());
        double largest = 0;
        for (float one : expected[result])
          largest = std::max(largest, std::fabs(double(one)));
        for (std::size_t i = 0; i < got[result].size(); ++i)
          if (!(std::fabs(double(got[result][i]) - double(expected[result][i])) <=
                tolerance * largest)) {
            ADD_FAILURE() << "element " << i << " of result " << result << " of "
                          << input.shape().str() << ": " << got[result][i] << ", expected "
                          << expected[result][i];
            break;
          }
      }
      // Sums are made in the same order whichever block comes first.
      if (isReversed)
        EXPECT_EQ(got, first);
      first = got;
    }
    standin::machine().isReversed = false;
    std::vector<std::string> kernels;
    for (const std::string &work : standin::executed())
      if (work.find("kernel") != work.npos)
        kernels.push_back(work);
    return kernels;
  }
  static Tensor draw(const Shape &shape, DType dtype = DType::float32) {
    return random::uniform(shape, -1, 1, DType::float32, CPU()).cast(dtype);
  }

  DefaultsScope scope;
};

constexpr double floatTolerance = 2e-6, bfloatTolerance = 1e-2;

TEST_F(ThinProductsTest, eachNumberOfRows) {
  for (auto [dtype, tolerance] : {std::pair{DType::float32, floatTolerance},
                                  {DType::bfloat16, bfloatTolerance},
                                  {DType::float16, 2e-3}}) {
    DefaultsScope scope(dtype, CPU());
    // Few columns for each block, the last columns missing, k no whole round of the threads.
    for (auto [in, out] : {std::pair<int64_t, int64_t>{1000, 30}, {64, 5}, {264, 1}}) {
      nn::Linear model(in, out);
      for (int64_t rows : {1, 2, 4, 5, 8, 9}) {
        auto kernels = compare(model, TensorType(dtype, {"rows", in}, Accelerator()),
                               draw({rows, in}, dtype), tolerance);
        EXPECT_THAT(kernels, Contains(HasSubstr(rows == 1  ? "_thin1"
                                                : rows < 9 ? "_thin4"
                                                           : "_64")))
            << rows << "x" << in << "x" << out;
      }
    }
  }
}

TEST_F(ThinProductsTest, aFixedNumberOfRows) {
  nn::Linear model(48, 20);
  for (int64_t rows : {1, 3, 9}) {
    auto kernels = compare(model, TensorType(DType::float32, {rows, 48}, Accelerator()),
                           draw({rows, 48}), floatTolerance);
    EXPECT_THAT(kernels, Contains(HasSubstr(rows == 1 ? "_thin1" : rows == 3 ? "_thin4" : "_64")));
  }
}

TEST_F(ThinProductsTest, rowsOfAnOddSize) { // not in whole 16 bytes: tiles
  nn::Linear model(37, 20);
  auto kernels = compare(model, TensorType(DType::float32, {"rows", 37}, Accelerator()),
                         draw({2, 37}), floatTolerance);
  EXPECT_THAT(kernels, Contains(HasSubstr("_64")));
}

TEST_F(ThinProductsTest, severalResults) {
  Feed feed{.gate = {64, 96}, .up = {64, 96}, .down = {96, 64}};
  Heads heads{.q = {64, 96}, .k = {64, 36}, .v = {64, 40}};
  for (int64_t rows : {1, 6, 70}) {
    TensorType type(DType::float32, {"rows", 64}, Accelerator());
    compare(feed, type, draw({rows, 64}), floatTolerance);
    compare(heads, type, draw({rows, 64}), floatTolerance);
  }
}

TEST_F(ThinProductsTest, partsOfKOfSeveralResults) {
  Feed feed{.gate = {520, 72}, .up = {520, 72}, .down = {72, 520}};
  Heads heads{.q = {520, 96}, .k = {520, 36}, .v = {520, 40}};
  TensorType type(DType::float32, {"rows", 520}, Accelerator());
  for (int64_t rows : {9, 66}) {
    EXPECT_THAT(compare(feed, type, draw({rows, 520}), floatTolerance),
                Contains(HasSubstr("_sum")));
    EXPECT_THAT(compare(heads, type, draw({rows, 520}), floatTolerance),
                Contains(HasSubstr("_sum")));
  }
}

TEST_F(ThinProductsTest, gatheredRowsAndANorm) {
  Embedded model{.table = draw({50, 512}), .linear = {512, 512}, .norm = nn::LayerNorm(512)};
  for (int64_t rows : {1, 7, 20}) {
    Tensor indices = (Tensor::arange(0, rows) * 7).cast(DType::int64) % 50;
    auto kernels = compare(model, TensorType(DType::int64, {"rows"}, Accelerator()), indices, 1e-5);
    EXPECT_THAT(kernels, Contains(HasSubstr(rows == 1 ? "_thin1" : rows == 7 ? "_thin4" : "_sum")));
  }
  // A bad index is that of the CPU, whichever way it goes.
  auto compiled = [&] {
    model.to(Accelerator());
    return model.compile(TensorType(DType::int64, {"rows"}, Accelerator()));
  }();
  for (int64_t rows : {1, 7, 20}) {
    std::vector<int64_t> bad(std::size_t(rows), 3);
    bad.back() = 50;
    EXPECT_THROW(compiled(Tensor::constant(bad).to(Accelerator())).realize(), IndexError) << rows;
  }
}

TEST_F(ThinProductsTest, operandsThatAreComputed) {
  Mixed model{.weight = draw({24, 80}, DType::bfloat16)};
  for (int64_t rows : {1, 3, 12})
    compare(model, TensorType(DType::float32, {"rows", 80}, Accelerator()), draw({rows, 80}),
            floatTolerance);
}

TEST_F(ThinProductsTest, largeTilesAreWhole) {
  nn::Linear model(8, 12300); // 97 large tiles
  auto kernels = compare(model, TensorType(DType::float32, {"rows", 8}, Accelerator()),
                         draw({9, 8}), floatTolerance);
  EXPECT_THAT(kernels, Contains(HasSubstr("_128")));
  EXPECT_THAT(kernels, Not(Contains(HasSubstr("_sum"))));
}

} // namespace
