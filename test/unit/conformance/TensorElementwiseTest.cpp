#include "kiln/kiln.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <limits>
#include <sstream>

using namespace kiln;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's test_tensor_elemwise.py and the elementwise part of test_functional_*.py; promotion.
namespace {

Tensor sample() { return Tensor::constant({{1.2f, -3.5f, 2.1f}, {2.3f, 1.9f, -4.2f}}); }

/// Records, says the type at once, and computes when it is read.
void expectReal(const Tensor &x, const Shape &shape, DType dtype = DType::float32) {
  EXPECT_EQ(x.shape(), shape);
  EXPECT_EQ(x.dtype(), dtype);
  EXPECT_TRUE(x.realize().isRealized());
}

TEST(MaxTensorElemwise, test_unary) {
  Tensor x = sample();
  expectReal(abs(x), {2, 3});
  expectReal(-x, {2, 3});
  EXPECT_THAT(abs(x).toVector<float>(), ElementsAre(1.2f, 3.5f, 2.1f, 2.3f, 1.9f, 4.2f));
  EXPECT_THAT((-x)[0].toVector<float>(), ElementsAre(-1.2f, 3.5f, -2.1f));
}

TEST(MaxTensorElemwise, test_comparisons) {
  Tensor x = sample(), y = Tensor::fullLike(x, 2);
  EXPECT_THAT((x == x).toVector<bool>(), Each(true));
  EXPECT_THAT((x != x).toVector<bool>(), Each(false));
  EXPECT_THAT((x >= y).toVector<bool>(), ElementsAre(false, false, true, true, false, false));
  EXPECT_THAT((x > 2).toVector<bool>(), ElementsAre(false, false, true, true, false, false));
  EXPECT_THAT((x <= y).toVector<bool>(), ElementsAre(true, true, false, false, true, true));
  EXPECT_THAT((2 < x).toVector<bool>(), ElementsAre(false, false, true, true, false, false));
}

TEST(MaxTensorElemwise, test_comparisons_with_nan) {
  Tensor nan = Tensor::constant({NAN, NAN, 1.0f}), one = Tensor::constant({1.0f, NAN, 1.0f});
  EXPECT_THAT((nan < one).toVector<bool>(), Each(false));
  EXPECT_THAT((nan <= one).toVector<bool>(), ElementsAre(false, false, true));
  EXPECT_THAT((nan > one).toVector<bool>(), Each(false));
  EXPECT_THAT((nan >= one).toVector<bool>(), ElementsAre(false, false, true));
  EXPECT_THAT((nan == one).toVector<bool>(), ElementsAre(false, false, true));
  EXPECT_THAT((nan != one).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT(isNan(maximum(nan, one)).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT(isNan(minimum(one, nan)).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT(isNan(clamp(nan, 0)).toVector<bool>(), ElementsAre(true, true, false));
}

TEST(MaxTensorElemwise, test_arithmetic) {
  Tensor x = Tensor::constant({7.0f, -7.0f, 1.5f}), y = Tensor::constant({2.0f, 2.0f, -0.5f});
  EXPECT_THAT((x + y).toVector<float>(), ElementsAre(9, -5, 1));
  EXPECT_THAT((x - y).toVector<float>(), ElementsAre(5, -9, 2));
  EXPECT_THAT((x * y).toVector<float>(), ElementsAre(14, -14, -0.75f));
  EXPECT_THAT((x / y).toVector<float>(), ElementsAre(3.5f, -3.5f, -3));
  EXPECT_THAT(floorDiv(x, y).toVector<float>(), ElementsAre(3, -4, -3));
  EXPECT_THAT((x % y).toVector<float>(), ElementsAre(1, 1, 0));
  EXPECT_THAT(pow(x, 2).toVector<float>(), ElementsAre(49, 49, 2.25f));
  auto [quotient, rest] = divmod(x, y);
  EXPECT_THAT((quotient * y + rest).toVector<float>(), ElementsAre(7, -7, 1.5f));
}

TEST(MaxTensorElemwise, test_reflected) {
  Tensor x = Tensor::constant({2.0f, 4.0f});
  EXPECT_THAT((1 + x).toVector<float>(), ElementsAre(3, 5));
  EXPECT_THAT((1 - x).toVector<float>(), ElementsAre(-1, -3));
  EXPECT_THAT((3 * x).toVector<float>(), ElementsAre(6, 12));
  EXPECT_THAT((8 / x).toVector<float>(), ElementsAre(4, 2));
  EXPECT_THAT(floorDiv(9, x).toVector<float>(), ElementsAre(4, 2));
  EXPECT_THAT((9 % x).toVector<float>(), ElementsAre(1, 1));
  EXPECT_THAT(pow(2, x).toVector<float>(), ElementsAre(4, 16));
}

TEST(MaxTensorElemwise, test_bitwise) {
  Tensor a = Tensor::constant({true, true, false}), b = Tensor::constant({true, false, false});
  EXPECT_THAT((a & b).toVector<bool>(), ElementsAre(true, false, false));
  EXPECT_THAT((a | b).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT((a ^ b).toVector<bool>(), ElementsAre(false, true, false));
  EXPECT_THAT((~a).toVector<bool>(), ElementsAre(false, false, true));
  EXPECT_THAT((a & true).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THROW(sample() & sample(), TypeError);
}

TEST(MaxTensorElemwise, test_clip) {
  Tensor x = random::normal({50});
  EXPECT_LE(clamp(x, std::nullopt, 0).max(std::nullopt).item<float>(), 0);
  EXPECT_GE(x.clamp(0).min(std::nullopt).item<float>(), 0);
  Tensor within = clamp(x, -0.5, 0.5);
  EXPECT_LE(abs(within).max(std::nullopt).item<float>(), 0.5f);
  EXPECT_THROW(clamp(x, std::nullopt), ValueError);
}

TEST(MaxFunctionalElementwise, test_binary_broadcast) {
  Tensor x = Tensor::full({10, 1}, 3.0), y = Tensor::full({10}, 2.0);
  using Op = std::function<Tensor(const Tensor &, const Tensor &)>;
  const std::tuple<const char *, Op, float> numbers[] = {
      {"add", [](auto &a, auto &b) { return a + b; }, 5.0f},
      {"div", [](auto &a, auto &b) { return a / b; }, 1.5f},
      {"max", [](auto &a, auto &b) { return max(a, b); }, 3.0f},
      {"min", [](auto &a, auto &b) { return min(a, b); }, 2.0f},
      {"mod", [](auto &a, auto &b) { return a % b; }, 1.0f},
      {"mul", [](auto &a, auto &b) { return a * b; }, 6.0f},
      {"pow", [](auto &a, auto &b) { return pow(a, b); }, 9.0f},
      {"sub", [](auto &a, auto &b) { return a - b; }, 1.0f}};
  for (const auto &[name, op, expected] : numbers) {
    SCOPED_TRACE(name);
    expectReal(op(x, y), {10, 10});
    EXPECT_THAT(op(x, y).toVector<float>(), Each(expected));
  }
  const std::tuple<const char *, Op, bool> truths[] = {
      {"equal", [](auto &a, auto &b) { return a == b; }, false},
      {"greater", [](auto &a, auto &b) { return a > b; }, true},
      {"greater_equal", [](auto &a, auto &b) { return a >= b; }, true},
      {"not_equal", [](auto &a, auto &b) { return a != b; }, true},
      {"logical_and", [](auto &a, auto &b) { return logicalAnd(a, b); }, true},
      {"logical_or", [](auto &a, auto &b) { return logicalOr(a, b); }, true},
      {"logical_xor", [](auto &a, auto &b) { return logicalXor(a, b); }, false}};
  for (const auto &[name, op, expected] : truths) {
    SCOPED_TRACE(name);
    expectReal(op(x, y), {10, 10}, DType::boolean);
    EXPECT_THAT(op(x, y).toVector<bool>(), Each(expected));
  }
}

TEST(MaxFunctionalElementwise, test_unary) {
  Tensor zeros = Tensor::zeros({10}), x = Tensor::constant({0.3f, -0.7f});
  using Op = std::function<Tensor(const Tensor &)>;
  using Reference = double (*)(double);
  const std::tuple<const char *, Op, Reference> operations[] = {
      {"abs", [](auto &t) { return abs(t); }, [](double v) { return std::abs(v); }},
      {"atanh", [](auto &t) { return atanh(t); }, [](double v) { return std::atanh(v); }},
      {"ceil", [](auto &t) { return ceil(t); }, [](double v) { return std::ceil(v); }},
      {"cos", [](auto &t) { return cos(t); }, [](double v) { return std::cos(v); }},
      {"erf", [](auto &t) { return erf(t); }, [](double v) { return std::erf(v); }},
      {"exp", [](auto &t) { return exp(t); }, [](double v) { return std::exp(v); }},
      {"floor", [](auto &t) { return floor(t); }, [](double v) { return std::floor(v); }},
      {"gelu", [](auto &t) { return gelu(t); },
       [](double v) { return v / 2 * (1 + std::erf(v / std::sqrt(2.0))); }},
      {"log", [](auto &t) { return log(abs(t)); }, [](double v) { return std::log(std::abs(v)); }},
      {"log1p", [](auto &t) { return log1p(t); }, [](double v) { return std::log1p(v); }},
      {"negate", [](auto &t) { return -t; }, [](double v) { return -v; }},
      {"relu", [](auto &t) { return relu(t); }, [](double v) { return std::max(v, 0.0); }},
      {"round", [](auto &t) { return round(t); }, [](double v) { return std::nearbyint(v); }},
      {"rsqrt", [](auto &t) { return rsqrt(t * t); }, [](double v) { return 1 / std::abs(v); }},
      {"sigmoid", [](auto &t) { return sigmoid(t); },
       [](double v) { return 1 / (1 + std::exp(-v)); }},
      {"silu", [](auto &t) { return silu(t); }, [](double v) { return v / (1 + std::exp(-v)); }},
      {"sin", [](auto &t) { return sin(t); }, [](double v) { return std::sin(v); }},
      {"sqrt", [](auto &t) { return sqrt(abs(t)); },
       [](double v) { return std::sqrt(std::abs(v)); }},
      {"tanh", [](auto &t) { return tanh(t); }, [](double v) { return std::tanh(v); }},
      {"trunc", [](auto &t) { return trunc(t); }, [](double v) { return std::trunc(v); }}};
  for (const auto &[name, op, reference] : operations) {
    SCOPED_TRACE(name);
    expectReal(op(zeros), {10});
    std::vector<float> values = op(x).template toVector<float>();
    for (std::size_t i = 0; i < 2; ++i) {
      double expected = reference(static_cast<double>(i ? -0.7f : 0.3f));
      EXPECT_NEAR(values[i], expected, 2e-6 * std::max(1.0, std::abs(expected)));
    }
  }
  expectReal(softmax(zeros), {10});
  expectReal(logSoftmax(zeros), {10});
  EXPECT_THAT(softmax(zeros).toVector<float>(), Each(0.1f));
  EXPECT_THAT(logSoftmax(zeros).toVector<float>(), Each(testing::FloatNear(-2.302585f, 1e-6f)));
  expectReal(isNan(zeros), {10}, DType::boolean);
  expectReal(isInf(zeros), {10}, DType::boolean);
  expectReal(logicalNot(zeros == zeros), {10}, DType::boolean);
  Tensor special = Tensor::constant({1.0f, NAN, INFINITY, -INFINITY});
  EXPECT_THAT(isNan(special).toVector<bool>(), ElementsAre(false, true, false, false));
  EXPECT_THAT(isInf(special).toVector<bool>(), ElementsAre(false, false, true, true));
  EXPECT_THAT(isFinite(special).toVector<bool>(), ElementsAre(true, false, false, false));
  EXPECT_THAT(isFinite(Tensor::constant({1, 2})).toVector<bool>(), Each(true));
}

TEST(MaxFunctionalElementwise, atanh_near_its_ends) {
  Tensor x = Tensor::constant({1e-20f, -1.0f, 1.0f, 1.5f, 0.0f});
  std::vector<float> values = atanh(x).toVector<float>();
  EXPECT_FLOAT_EQ(values[0], 1e-20f);
  EXPECT_EQ(values[1], -INFINITY);
  EXPECT_EQ(values[2], INFINITY);
  EXPECT_TRUE(std::isnan(values[3]));
  EXPECT_EQ(values[4], 0);
  EXPECT_EQ(atanh(Tensor::constant({0})).dtype(), DType::float32);
  EXPECT_EQ(atanh(x.cast(DType::float16)).dtype(), DType::float16);
}

TEST(MaxFunctionalElementwise, test_where) {
  Tensor condition = Tensor::constant({true, false, true}), x = Tensor::constant({1, 2, 3});
  EXPECT_THAT(where(condition, x, -x).toVector<int>(), ElementsAre(1, -2, 3));
  EXPECT_THAT(where(condition, x, 0).toVector<int>(), ElementsAre(1, 0, 3));
  expectReal(where(condition, 1.0, 0.0), {3});
  EXPECT_EQ(where(condition, Tensor::ones({2, 1}), x).shape(), (Shape{2, 3}));
  EXPECT_THROW(where(x, x, x), TypeError);
}

// Promotion.

TEST(Promotion, test_pytorchs_table) {
  const char *folder = std::getenv("KILN_TEST_DATA");
  ASSERT_TRUE(folder) << "set KILN_TEST_DATA to the folder test/data";
  std::ifstream file(std::string(folder) + "/promotion.csv");
  std::string line, cell;
  std::getline(file, line);
  std::vector<DType> columns;
  std::istringstream head(line);
  for (std::getline(head, cell, ','); std::getline(head, cell, ',');)
    columns.push_back(parseDType(cell).value());
  ASSERT_EQ(columns.size(), 13u);
  auto rank = [](DType dtype) { return sizeBytes(dtype); };
  int checked = 0;
  while (std::getline(file, line)) {
    std::istringstream row(line);
    std::getline(row, cell, ',');
    DType a = parseDType(cell).value();
    for (DType b : columns) {
      ASSERT_TRUE(std::getline(row, cell, ','));
      SCOPED_TRACE(std::string(name(a)) + " + " + std::string(name(b)));
      Tensor x = Tensor::ones({2}, a), y = Tensor::ones({2}, b);
      ++checked;
      if (cell != "-") {
        EXPECT_EQ(promote(a, b), parseDType(cell).value());
        EXPECT_EQ((x + y).dtype(), promote(a, b));
        EXPECT_EQ(concat({x, y}).dtype(), promote(a, b));
        EXPECT_EQ(where(x == y, x, y).dtype(), promote(a, b));
        EXPECT_EQ((x / y).dtype(), isFloat(promote(a, b)) ? promote(a, b) : DType::float32);
        continue;
      }
      // PyTorch defines nothing for the wide unsigned dtypes: here the smallest dtype that holds
      // both, as in NumPy, and an error where none does.
      DType wide = rank(a) > rank(b) ? a : b;
      if (isSigned(a) == isSigned(b) || a == DType::boolean || b == DType::boolean) {
        EXPECT_EQ(promote(a, b), wide);
      } else if (DType u = isUnsigned(a) ? a : b; u == DType::uint64) {
        EXPECT_THROW(promote(a, b), TypeError);
        EXPECT_THAT([&] { x + y; }, ThrowsMessage<TypeError>(HasSubstr("cast one")));
      } else {
        DType s = isUnsigned(a) ? b : a;
        DType holding = u == DType::uint16 ? DType::int32 : DType::int64;
        EXPECT_EQ(promote(a, b), rank(s) > rank(u) ? s : holding);
      }
    }
  }
  EXPECT_EQ(checked, 13 * 13);
}

TEST(Promotion, a_scalar_never_widens) {
  for (DType dtype : {DType::int8, DType::int16, DType::int32, DType::int64, DType::uint8,
                      DType::uint16, DType::uint32, DType::uint64, DType::float16, DType::bfloat16,
                      DType::float32, DType::float64}) {
    SCOPED_TRACE(std::string(name(dtype)));
    Tensor x = Tensor::full({2}, 6, dtype);
    EXPECT_EQ((x + 1).dtype(), dtype);
    EXPECT_EQ((2u * x).dtype(), dtype);
    EXPECT_EQ((x - true).dtype(), dtype);
    EXPECT_EQ((x / 2).dtype(), isFloat(dtype) ? dtype : DType::float32);
    EXPECT_EQ((x < 3).dtype(), DType::boolean);
    if (isFloat(dtype)) {
      EXPECT_EQ((x * 0.5).dtype(), dtype);
    } else {
      EXPECT_THAT([&] { x * 0.5; }, ThrowsMessage<ValueError>(HasSubstr("Unsafe cast")));
    }
  }
  Tensor mask = Tensor::constant({true, false});
  EXPECT_THAT([&] { mask + 1; }, ThrowsMessage<ValueError>(HasSubstr("Unsafe cast")));
  EXPECT_THAT((mask == 1).toVector<bool>(), ElementsAre(true, false));
}

TEST(Promotion, a_scalar_that_does_not_fit) {
  auto message = HasSubstr("Unsafe cast");
  auto of = [](DType dtype) { return Tensor::zeros({2}, dtype); };
  EXPECT_THAT([&] { of(DType::int8) + 128; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { of(DType::uint8) - -1; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { of(DType::int32) * (int64_t{1} << 31); }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { of(DType::int64) + ~uint64_t{0}; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { of(DType::float16) + 70000; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { of(DType::float32) + 1e39; }, ThrowsMessage<ValueError>(message));
  EXPECT_THAT([&] { maskedFill(of(DType::int32), of(DType::int32) == 0, -INFINITY); },
              ThrowsMessage<ValueError>(message));
  EXPECT_EQ((of(DType::int8) + 127).toVector<int8_t>()[0], 127);
  EXPECT_EQ((of(DType::uint64) + ~uint64_t{0}).toVector<uint64_t>()[0], ~uint64_t{0});
  EXPECT_EQ((of(DType::float16) + INFINITY).cast(DType::float32).toVector<float>()[0], INFINITY);
}

TEST(Promotion, booleans) {
  Tensor a = Tensor::constant({true, true, false}), b = Tensor::constant({true, false, false});
  EXPECT_THAT((a + b).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT((a * b).toVector<bool>(), ElementsAre(true, false, false));
  EXPECT_THAT(maximum(a, b).toVector<bool>(), ElementsAre(true, true, false));
  EXPECT_THAT(minimum(a, b).toVector<bool>(), ElementsAre(true, false, false));
  EXPECT_THROW(a - b, TypeError); // as in PyTorch
  EXPECT_THAT((a + Tensor::constant({1, 2, 3})).toVector<int>(), ElementsAre(2, 3, 3));
  EXPECT_EQ(a.sum().dtype(), DType::int64);
  EXPECT_EQ(a.sum().item<int64_t>(), 2);
  EXPECT_FLOAT_EQ(a.mean().item<float>(), 2.0f / 3);
}

// Integers.

template <class T> void checkDivision() {
  SCOPED_TRACE(std::string(name(dtypeOf<T>())));
  constexpr T least = std::numeric_limits<T>::min(), greatest = std::numeric_limits<T>::max();
  std::vector<T> xs, ys;
  std::vector<T> samples = {0, 1, 2, 3, 7, least, greatest, static_cast<T>(-1), static_cast<T>(-7)};
  for (T x : samples)
    for (T y : samples) {
      xs.push_back(x);
      ys.push_back(y);
    }
  Tensor a = Tensor::fromData(xs, {81}), b = Tensor::fromData(ys, {81});
  std::vector<T> quotient = floorDiv(a, b).template toVector<T>(),
                 rest = (a % b).template toVector<T>();
  for (std::size_t i = 0; i < xs.size(); ++i) {
    __int128 x = xs[i], y = ys[i], q = 0, r = 0;
    if (y != 0) { // 0 gives 0: docs/spec.md
      q = x / y - ((x % y != 0 && (x < 0) != (y < 0)) ? 1 : 0);
      r = x - q * y;
    }
    EXPECT_EQ(quotient[i], static_cast<T>(q)) << +xs[i] << " // " << +ys[i];
    EXPECT_EQ(rest[i], static_cast<T>(r)) << +xs[i] << " % " << +ys[i];
  }
  // By a number, and of one element.
  EXPECT_EQ(floorDiv(a, 0).template toVector<T>(), std::vector<T>(81, T(0)));
  EXPECT_EQ((a % 0).template toVector<T>(), std::vector<T>(81, T(0)));
  EXPECT_EQ(floorDiv(Tensor::constant(T(7)), Tensor::constant(T(0))).template item<T>(), T(0));
}

TEST(IntegerDivision, test_floor_division_of_every_dtype) {
  checkDivision<int8_t>();
  checkDivision<int16_t>();
  checkDivision<int32_t>();
  checkDivision<int64_t>();
  checkDivision<uint8_t>();
  checkDivision<uint16_t>();
  checkDivision<uint32_t>();
  checkDivision<uint64_t>();
}

TEST(IntegerDivision, test_true_division) {
  Tensor x = Tensor::constant({7, 7, -7, -7, 1, 0, 5}),
         y = Tensor::constant({3, -3, 3, -3, 2, 5, 0});
  std::vector<float> values = (x / y).toVector<float>();
  EXPECT_EQ((x / y).dtype(), DType::float32);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_FLOAT_EQ(values[i], static_cast<float>(x.toVector<int>()[i]) /
                                   static_cast<float>(y.toVector<int>()[i]));
  EXPECT_EQ(values[6], INFINITY);
}

TEST(IntegerDivision, integers_wrap_around) {
  Tensor x = Tensor::constant({std::numeric_limits<int32_t>::max(), 2});
  EXPECT_THAT((x + 1).toVector<int32_t>(), ElementsAre(std::numeric_limits<int32_t>::min(), 3));
  EXPECT_THAT(abs(x + 1).toVector<int32_t>(), ElementsAre(std::numeric_limits<int32_t>::min(), 3));
  EXPECT_THAT(pow(x, 2).toVector<int32_t>(), ElementsAre(1, 4));
}

// Half floats.

TEST(HalfFloats, are_computed_in_float32) {
  for (DType dtype : {DType::float16, DType::bfloat16}) {
    SCOPED_TRACE(std::string(name(dtype)));
    random::seed(1);
    Tensor x = random::normal({64}, 0, 1, dtype), y = random::normal({64}, 0, 1, dtype);
    auto wide = [](const Tensor &t) { return t.cast(DType::float32); };
    auto same = [&](const Tensor &narrow, const Tensor &reference) {
      EXPECT_EQ(narrow.dtype(), dtype);
      EXPECT_EQ(wide(narrow).toVector<float>(), wide(reference.cast(dtype)).toVector<float>());
    };
    same(x * y, wide(x) * wide(y));
    same(x / y, wide(x) / wide(y));
    same(exp(x), exp(wide(x)));
    same(tanh(x), tanh(wide(x)));
    same(atanh(x * 0.25), atanh(wide(x * 0.25)));
    same(x.sum(), wide(x).sum());
    same(x.mean(), wide(x).mean());
    same(logSoftmax(x), logSoftmax(wide(x)));
  }
  // A square of 300 is no float16, but the norm of such a row is.
  Tensor row = Tensor::full({4}, 300.0, DType::float16), ones = Tensor::ones({4}, DType::float16);
  EXPECT_THAT(rmsNorm(row, ones).cast(DType::float32).toVector<float>(), Each(1.0f));
}

} // namespace
