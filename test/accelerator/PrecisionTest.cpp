#include "kiln/kiln.h"

#include "standin/StandIn.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;

namespace {

struct Product : nn::Module<Product> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return matmul(x, y); }
  KILN_FIELDS()
};
/// The same with a weight [n, k].
struct Weighted : nn::Module<Weighted> {
  Tensor weight;
  KILN_FIELDS(weight)
  Tensor operator()(const Tensor &x) const { return matmul(x, weight.transpose(0, 1)); }
};
struct Attend : nn::Module<Attend> {
  Tensor operator()(const Tensor &q, const Tensor &k, const Tensor &v) const {
    return attention(q, k, v);
  }
  KILN_FIELDS()
};

using Values = std::vector<float>;

/// Products on the accelerator, executed from their PTX, against sums in float64.
class PrecisionTest : public testing::Test {
protected:
  PrecisionTest() : scope(DType::float32, CPU()) { random::seed(11); }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive();
  }

  static Tensor draw(const Shape &shape, DType dtype = DType::float32) {
    return random::uniform(shape, -1, 1, DType::float32, CPU()).cast(dtype);
  }
  static Values values(const Tensor &tensor) {
    return tensor.to(CPU()).cast(DType::float32).toVector<float>();
  }
  /// x [m, k] by w [n, k].
  static std::vector<double> reference(const Tensor &x, const Tensor &w) {
    Values a = values(x), b = values(w);
    const int64_t m = x.shape()[0].value(), k = x.shape()[1].value(), n = w.shape()[0].value();
    std::vector<double> result;
    for (int64_t row = 0; row < m; ++row)
      for (int64_t column = 0; column < n; ++column) {
        double sum = 0;
        for (int64_t i = 0; i < k; ++i)
          sum += double(a[std::size_t(row * k + i)]) * double(b[std::size_t(column * k + i)]);
        result.push_back(sum);
      }
    return result;
  }
  /// The largest difference, relative to the largest value.
  static double error(const Values &got, const std::vector<double> &expected) {
    EXPECT_EQ(got.size(), expected.size());
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::fabs(expected[i]));
      difference = std::max(difference, std::fabs(double(got.at(i)) - expected[i]));
    }
    return difference / largest;
  }
  static Values linear(const Tensor &x, const Tensor &w, Precision precision) {
    Weighted model{.weight = w};
    model.to(Accelerator());
    auto compiled = model.compile(CompileOptions{.precision = precision},
                                  TensorType(x.dtype(), {"rows", x.shape()[1]}, Accelerator()));
    return values(compiled(x.to(Accelerator())));
  }
  static Values product(const Tensor &x, const Tensor &w, Precision precision) {
    Product model;
    auto compiled = model.compile(CompileOptions{.precision = precision},
                                  TensorType(x.dtype(), {"m", "k"}, Accelerator()),
                                  TensorType(x.dtype(), {"k", "n"}, Accelerator()));
    return values(compiled(x.to(Accelerator()), w.transpose(0, 1).to(Accelerator())));
  }

  DefaultsScope scope;
};

/// Rows for each of the ways that a product with a weight is computed.
constexpr int64_t someRows[] = {1, 3, 8, 70};

// What is asked for: 2e-6 of the largest result for float32, 2e-2 for bfloat16.
TEST_F(PrecisionTest, highestIsThatOfFloat32) {
  Tensor w = draw({72, 1500});
  for (int64_t rows : someRows) {
    Tensor x = draw({rows, 1500});
    std::vector<double> expected = reference(x, w);
    EXPECT_LT(error(linear(x, w, Precision::highest), expected), 2e-6) << rows;
    if (rows == 70)
      EXPECT_LT(error(product(x, w, Precision::highest), expected), 2e-6);
  }
  // Sums that do not cancel, of numbers of all sizes: what is cut off adds up.
  Tensor x = exp(draw({9, 1500}) * 8), y = exp(draw({16, 1500}) * 8);
  EXPECT_LT(error(linear(x, y, Precision::highest), reference(x, y)), 2e-6);
}

TEST_F(PrecisionTest, bfloat16) {
  Tensor w = draw({72, 500}, DType::bfloat16);
  for (int64_t rows : someRows) {
    Tensor x = draw({rows, 500}, DType::bfloat16);
    for (Precision precision : {Precision::highest, Precision::high, Precision::bf16}) {
      EXPECT_LT(error(linear(x, w, precision), reference(x, w)), 0x1.02p-8) << rows;
      if (rows == 70)
        EXPECT_LT(error(product(x, w, precision), reference(x, w)), 0x1.02p-8);
    }
  }
}

// tf32 has 11 bits, bfloat16 8: 2^-11 and 2^-8 of each product, which mostly cancels in sums.
TEST_F(PrecisionTest, highAndBf16RoundOperands) {
  for (auto [k, n] : {std::pair<int64_t, int64_t>{500, 72}, {37, 19}, {4, 1}}) {
    Tensor x = draw({70, k}), w = draw({n, k});
    std::vector<double> expected = reference(x, w);
    std::vector<double> rounded = reference(x.cast(DType::bfloat16), w.cast(DType::bfloat16));
    for (auto *multiply : {&linear, &product}) {
      EXPECT_LT(error(multiply(x, w, Precision::high), expected), 0x1p-11);
      EXPECT_GT(error(multiply(x, w, Precision::high), expected), 1e-5);
      Values narrow = multiply(x, w, Precision::bf16);
      EXPECT_LT(error(narrow, expected), 0x1p-8);
      EXPECT_LT(error(narrow, rounded), 2e-6);
    }
  }
}

TEST_F(PrecisionTest, attention) {
  Tensor q = draw({1, 2, 70, 20}), k = draw({1, 2, 67, 20}), v = draw({1, 2, 67, 20});
  Values exact = values(kiln::attention(q, k, v));
  std::vector<double> expected(exact.begin(), exact.end());
  TensorType queries(DType::float32, {1, 2, "s", 20}, Accelerator()),
      keys(DType::float32, {1, 2, "t", 20}, Accelerator());
  auto errorOf = [&](Precision precision) {
    Attend model;
    auto compiled = model.compile(CompileOptions{.precision = precision}, queries, keys, keys);
    return error(values(compiled(q.to(Accelerator()), k.to(Accelerator()), v.to(Accelerator()))),
                 expected);
  };
  const double highest = errorOf(Precision::highest), high = errorOf(Precision::high),
               narrow = errorOf(Precision::bf16);
  EXPECT_LT(highest, 2e-6);
  EXPECT_LT(high, 1e-3);
  EXPECT_GT(high, 10 * highest);
  EXPECT_LT(narrow, 1e-2);
  EXPECT_GT(narrow, 2 * high);
}

TEST_F(PrecisionTest, isPartOfTheKey) {
  Weighted model{.weight = draw({24, 48})};
  model.to(Accelerator());
  TensorType type(DType::float32, {"rows", 48}, Accelerator());
  std::vector<CacheHit> hits;
  for (int round = 0; round < 2; ++round)
    for (Precision precision : {Precision::highest, Precision::high, Precision::bf16})
      hits.push_back(model.compile(CompileOptions{.precision = precision}, type).stats().cacheHit);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_NE(hits[3 + i], CacheHit::none);
  // Of the precisions each has code of its own.
  Tensor x = draw({20, 48});
  Values highest = linear(x, model.weight, Precision::highest),
         high = linear(x, model.weight, Precision::high),
         narrow = linear(x, model.weight, Precision::bf16);
  EXPECT_NE(highest, high);
  EXPECT_NE(high, narrow);
}

/// NaN, infinities with their sign, or a number.
std::string kindOf(float value) {
  return std::isnan(value) ? "nan" : std::isinf(value) ? value < 0 ? "-inf" : "inf" : "finite";
}

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float most = std::numeric_limits<float>::max();
constexpr float least = std::numeric_limits<float>::denorm_min();

// Where float32 arithmetic gives infinities and NaN, so do products in parts, and only there. (Of
// numbers within 2^-22 of the largest one neither is exact to tell on which side of it they are.)
TEST_F(PrecisionTest, infinitiesAndNan) {
  const int64_t k = 40, n = 21;
  const float quietNan = std::bit_cast<float>(0x7FC00000u),
              payload = std::bit_cast<float>(0x7F800001u),
              negative = std::bit_cast<float>(0xFF801000u);
  Values special = {inf,         -inf,  quietNan,        payload, negative, most,
                    -most,       least, -least,          0.0f,    -0.0f,    0x1p-126f,
                    0x1.8p-140f, 1.0f,  1.5f, 0x1p100f};
  for (int64_t rows : someRows) {
    // One special number in each row of x and, elsewhere, of w.
    Values a = values(draw({rows, k})), b = values(draw({n, k}));
    for (int64_t row = 0; row < rows; ++row)
      if (row % 3 != 1)
        a[std::size_t(row * k + row * 7 % k)] = special[std::size_t(row) % special.size()];
    for (int64_t row = 0; row < n; ++row)
      if (row % 2)
        b[std::size_t(row * k + row * 14 % k)] = special[std::size_t(row / 2) % special.size()];
    auto tensor = [&](const Values &all, int64_t count) {
      return Tensor::fromData(all, Shape{count, k});
    };
    Tensor x = tensor(a, rows), w = tensor(b, n);
    Values expected = values(matmul(x, w.transpose(0, 1)));
    for (auto *multiply : {&linear, &product}) {
      Values got = multiply(x, w, Precision::highest);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_EQ(kindOf(got[i]), kindOf(expected[i])) << rows << " rows, element " << i;
      // NaN and infinities also where operands are rounded.
      for (Precision precision : {Precision::high, Precision::bf16}) {
        got = multiply(x, w, precision);
        for (std::size_t i = 0; i < got.size(); ++i)
          ASSERT_TRUE(kindOf(expected[i]) == "finite" || kindOf(got[i]) != "finite") << i;
      }
    }
  }
}

TEST_F(PrecisionTest, largestAndSmallestNumbers) {
  // The largest numbers by 1 and by 0.5, those below the smallest normal one, two that have none
  // of the bits of a tf32: to 2^-22 of a number, and to 2^-136.
  Values a = {most, -most, most / 2, 0x1p-126f, 0x1.234p-128f, 0x1.8p-130f, least, 37 * least};
  for (int64_t rows : {8, 16}) {
    Values x;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < 8; ++i)
        x.push_back(row == i ? a[std::size_t(i)] : 0.0f);
    Values w(8, 1.0f), half(8, 0.5f);
    w.insert(w.end(), half.begin(), half.end());
    Tensor left = Tensor::fromData(x, Shape{rows, 8}), right = Tensor::fromData(w, Shape{2, 8});
    for (auto *multiply : {&linear, &product}) {
      Values got = multiply(left, right, Precision::highest);
      for (std::size_t i = 0; i < 8; ++i)
        for (std::size_t column : {0, 1}) {
          const double expected = double(a[i]) * (column ? 0.5 : 1);
          EXPECT_NEAR(got.at(2 * i + column), expected, std::fabs(expected) * 0x1p-22 + 0x1p-136)
              << i;
        }
    }
  }
}

} // namespace
