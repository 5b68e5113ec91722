// float64 is computed as such: functions agree with the C library's far beyond float32.
#include "kiln/kiln.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

using namespace kiln;

namespace {

struct Case {
  const char *name;
  Tensor (*op)(const Tensor &);
  double (*exact)(double);
  double low, high;
};

double sigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }

const Case cases[] = {
    {"exp", [](const Tensor &x) { return exp(x); }, std::exp, -700, 700},
    {"log", [](const Tensor &x) { return log(x); }, std::log, 1e-300, 1e3},
    {"log1p", [](const Tensor &x) { return log1p(x); }, std::log1p, -0.9, 9},
    {"rsqrt", [](const Tensor &x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); },
     0.1, 9},
    {"sin", [](const Tensor &x) { return sin(x); }, std::sin, -1e9, 1e9},
    {"cos", [](const Tensor &x) { return cos(x); }, std::cos, -1e9, 1e9},
    {"tanh", [](const Tensor &x) { return tanh(x); }, std::tanh, -5, 5},
    {"erf", [](const Tensor &x) { return erf(x); }, std::erf, -4, 4},
    {"sigmoid", [](const Tensor &x) { return sigmoid(x); }, sigmoidOf, -30, 30},
    {"silu", [](const Tensor &x) { return silu(x); }, [](double x) { return x * sigmoidOf(x); },
     -30, 30},
    {"gelu", [](const Tensor &x) { return gelu(x); },
     [](double x) { return x / 2 * std::erfc(-x / std::numbers::sqrt2); }, -8, 8},
    {"geluTanh", [](const Tensor &x) { return gelu(x, "tanh"); },
     [](double x) {
       double u = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
       return x * sigmoidOf(2 * u);
     },
     -8, 8},
    {"geluQuick", [](const Tensor &x) { return gelu(x, "quick"); },
     [](double x) { return x * sigmoidOf(1.702 * x); }, -8, 8},
    {"pow", [](const Tensor &x) { return pow(x, Tensor::constant(2.5)); },
     [](double x) { return std::pow(x, 2.5); }, 0, 1e50},
    {"mod", [](const Tensor &x) { return x % Tensor::constant(0.7); },
     [](double x) {
       double rest = std::fmod(x, 0.7);
       return rest < 0 ? rest + 0.7 : rest;
     },
     -100, 100},
};

class DoubleMath : public testing::TestWithParam<Case> {};

// 37 values: whole vectors of any width and a rest.
TEST_P(DoubleMath, AgreesWithTheCLibrary) {
  const Case &c = GetParam();
  std::vector<double> values;
  for (int i = 0; i < 37; ++i)
    values.push_back(c.low + (c.high - c.low) * (i + 0.37) / 37);
  Tensor y = c.op(Tensor::fromData(std::span<const double>(values), {37}));
  ASSERT_EQ(y.dtype(), DType::float64);
  std::vector<double> got = y.toVector<double>();
  for (int i = 0; i < 37; ++i) {
    double want = c.exact(values[i]);
    // A few roundings, those of exponents up to 60 among them.
    EXPECT_NEAR(got[i], want, 2e-14 * std::abs(want)) << c.name << " of " << values[i];
  }
}

INSTANTIATE_TEST_SUITE_P(All, DoubleMath, testing::ValuesIn(cases),
                         [](const auto &info) { return info.param.name; });

} // namespace
