#include "ir/InterpreterElements.h"

#include <cmath>
#include <limits>
#include <map>
#include <numbers>

namespace kiln::ir {

// Integers are computed on as uint64, which wraps; where the sign matters, as int64.
static int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }
static uint64_t bits(Scalar value) { return static_cast<uint64_t>(value.integer); }

/// `onFloats`, `onSigned` or `onUnsigned` as the dtype wants; booleans are unsigned.
template <class Floats, class Signed, class Unsigned>
static auto byKind(DType dtype, Scalar x, Scalar y, Floats onFloats, Signed onSigned,
                   Unsigned onUnsigned) {
  if (isFloat(dtype))
    return onFloats(x.real, y.real);
  return isSigned(dtype) ? onSigned(x.integer, y.integer) : onUnsigned(bits(x), bits(y));
}

/// The same formula for floats and (wrapping) integers.
template <class F> static Scalar arithmetic(DType dtype, Scalar x, Scalar y, F f) {
  return isFloat(dtype) ? real(f(x.real, y.real)) : integer(wrap(f(bits(x), bits(y))));
}
template <class F> static Scalar comparison(DType dtype, Scalar x, Scalar y, F f) {
  return integer(byKind(dtype, x, y, f, f, f));
}

/// A quotient as compiled code rounds it before it goes on: in float64, else in float32.
static double quotient(DType dtype, double x, double y) {
  return dtype == DType::float64 ? x / y : static_cast<float>(x / y);
}

static Scalar floorDiv(DType dtype, Scalar x, Scalar y) {
  if (isFloat(dtype))
    return real(std::floor(quotient(dtype, x.real, y.real)));
  if (y.integer == 0)
    return integer(0);
  if (isUnsigned(dtype))
    return integer(wrap(bits(x) / bits(y)));
  if (y.integer == -1) // the least integer has no counterpart
    return integer(wrap(0 - bits(x)));
  int64_t truncated = x.integer / y.integer;
  bool down = x.integer % y.integer != 0 && (x.integer < 0) != (y.integer < 0);
  return integer(truncated - down);
}

static Scalar mod(DType dtype, Scalar x, Scalar y) {
  if (isFloat(dtype)) {
    double rest = std::fmod(x.real, y.real);
    if (rest == 0)
      return real(std::copysign(rest, y.real));
    return real((rest < 0) != (y.real < 0) ? rest + y.real : rest);
  }
  if (y.integer == 0 || (isSigned(dtype) && y.integer == -1))
    return integer(0);
  if (isUnsigned(dtype))
    return integer(wrap(bits(x) % bits(y)));
  int64_t rest = x.integer % y.integer;
  return integer(rest != 0 && (rest < 0) != (y.integer < 0) ? rest + y.integer : rest);
}

/// Integers wrap; a negative exponent gives 1/x towards zero, and 0 for x = 0.
static Scalar power(DType dtype, Scalar x, Scalar y) {
  if (isFloat(dtype))
    return real(std::pow(x.real, y.real));
  if (isSigned(dtype) && y.integer < 0 && x.integer != 1 && x.integer != -1)
    return integer(0);
  uint64_t result = 1, base = bits(x);
  for (uint64_t exponent = bits(y); exponent != 0; exponent >>= 1, base *= base)
    if (exponent & 1)
      result *= base;
  return integer(wrap(result));
}

template <class F> static Scalar extremum(DType dtype, Scalar x, Scalar y, F isFirst) {
  if (isFloat(dtype) && (std::isnan(x.real) || std::isnan(y.real)))
    return real(std::numeric_limits<double>::quiet_NaN());
  return byKind(dtype, x, y, isFirst, isFirst, isFirst) ? x : y;
}

static Scalar negate(DType dtype, Scalar x, Scalar) {
  return isFloat(dtype) ? real(-x.real) : integer(wrap(0 - bits(x)));
}
static Scalar absolute(DType dtype, Scalar x, Scalar y) {
  if (isFloat(dtype))
    return real(std::fabs(x.real));
  return isSigned(dtype) && x.integer < 0 ? negate(dtype, x, y) : x;
}
static Scalar relu(DType dtype, Scalar x, Scalar) {
  if (isFloat(dtype))
    return real(x.real <= 0 ? 0.0 : x.real); // a NaN stays
  return isSigned(dtype) && x.integer < 0 ? integer(0) : x;
}
static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
static double geluTanh(double x) {
  double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return x / 2 * (1 + std::tanh(inner));
}

// One line for each operation of ir/Elementwise.def.
#define FLOATS(formula)                                                                            \
  [](DType, Scalar in, Scalar) {                                                                   \
    double x = in.real;                                                                            \
    return real(formula);                                                                          \
  }
#define ARITHMETIC(formula)                                                                        \
  [](DType t, Scalar a, Scalar b) {                                                                \
    return arithmetic(t, a, b, [](auto x, auto y) { return formula; });                            \
  }
#define COMPARISON(operation)                                                                      \
  [](DType t, Scalar a, Scalar b) {                                                                \
    return comparison(t, a, b, [](auto x, auto y) { return x operation y; });                      \
  }
#define BITS(formula)                                                                              \
  [](DType, Scalar a, Scalar b) {                                                                  \
    uint64_t x = bits(a), y = bits(b);                                                             \
    return integer(wrap(formula));                                                                 \
  }

const ElementFunction *findElementFunction(std::string_view op) {
  constexpr bool exact = true, rounded = false;
  static const std::map<std::string_view, ElementFunction> functions{
      {"neg", {negate, exact}},
      {"abs", {absolute, exact}},
      {"exp", {FLOATS(std::exp(x)), rounded}},
      {"log", {FLOATS(std::log(x)), rounded}},
      {"log1p", {FLOATS(std::log1p(x)), rounded}},
      {"sqrt", {FLOATS(std::sqrt(x)), exact}},
      {"rsqrt", {FLOATS(1 / std::sqrt(x)), rounded}},
      {"sin", {FLOATS(std::sin(x)), rounded}},
      {"cos", {FLOATS(std::cos(x)), rounded}},
      {"tanh", {FLOATS(std::tanh(x)), rounded}},
      {"erf", {FLOATS(std::erf(x)), rounded}},
      {"floor", {FLOATS(std::floor(x)), exact}},
      {"ceil", {FLOATS(std::ceil(x)), exact}},
      {"round", {FLOATS(std::nearbyint(x)), exact}}, // half to even in the default mode
      {"trunc", {FLOATS(std::trunc(x)), exact}},
      {"relu", {relu, exact}},
      {"gelu", {FLOATS(x / 2 * std::erfc(-x * std::numbers::sqrt2 / 2)), rounded}},
      {"gelu_tanh", {FLOATS(geluTanh(x)), rounded}},
      {"gelu_quick", {FLOATS(x * sigmoid(1.702 * x)), rounded}},
      {"silu", {FLOATS(x * sigmoid(x)), rounded}},
      {"sigmoid", {FLOATS(sigmoid(x)), rounded}},
      {"is_nan",
       {[](DType t, Scalar x, Scalar) { return integer(isFloat(t) && std::isnan(x.real)); },
        exact}},
      {"is_inf",
       {[](DType t, Scalar x, Scalar) { return integer(isFloat(t) && std::isinf(x.real)); },
        exact}},
      {"not",
       {[](DType t, Scalar x, Scalar) {
          return integer(t == DType::boolean ? x.integer == 0 : ~x.integer);
        },
        exact}},
      {"add", {ARITHMETIC(x + y), exact}},
      {"sub", {ARITHMETIC(x - y), exact}},
      {"mul", {ARITHMETIC(x * y), exact}},
      {"div", {[](DType, Scalar x, Scalar y) { return real(x.real / y.real); }, exact}},
      {"floor_div", {floorDiv, exact}},
      {"mod", {mod, rounded}},
      {"pow", {power, rounded}},
      {"maximum",
       {[](DType t, Scalar x, Scalar y) {
          return extremum(t, x, y, [](auto a, auto b) { return a > b; });
        },
        exact}},
      {"minimum",
       {[](DType t, Scalar x, Scalar y) {
          return extremum(t, x, y, [](auto a, auto b) { return a < b; });
        },
        exact}},
      {"eq", {COMPARISON(==), exact}},
      {"ne", {COMPARISON(!=), exact}},
      {"lt", {COMPARISON(<), exact}},
      {"le", {COMPARISON(<=), exact}},
      {"gt", {COMPARISON(>), exact}},
      {"ge", {COMPARISON(>=), exact}},
      {"and", {BITS(x & y), exact}},
      {"or", {BITS(x | y), exact}},
      {"xor", {BITS(x ^ y), exact}},
  };
  auto found = functions.find(op);
  return found == functions.end() ? nullptr : &found->second;
}

/// Towards zero, saturating; NaN to 0.
static int64_t truncate(double value, DType to) {
  int width = 8 * static_cast<int>(sizeBytes(to));
  double low = isSigned(to) ? -std::ldexp(1.0, width - 1) : 0.0;
  double high = std::ldexp(1.0, isSigned(to) ? width - 1 : width); // the first that is too high
  if (std::isnan(value))
    return 0;
  if (value >= high) // all ones, without the sign bit where there is one
    return wrap(~uint64_t(0) >> (64 - width + isSigned(to)));
  if (value <= low)
    return isSigned(to) ? wrap(~uint64_t(0) << (width - 1)) : 0;
  return isSigned(to) ? static_cast<int64_t>(value) : wrap(static_cast<uint64_t>(value));
}

Scalar castElement(DType from, DType to, Scalar value) {
  if (to == DType::boolean)
    return integer(isFloat(from) ? value.real != 0 : value.integer != 0);
  if (!isFloat(to))
    return isFloat(from) ? integer(truncate(value.real, to)) : value;
  if (isFloat(from))
    return value;
  // Large integers are rounded once: straight to float32 where that is computed in.
  auto convert = [&](auto number) -> double {
    return to == DType::float64 ? static_cast<double>(number) : static_cast<float>(number);
  };
  return real(isUnsigned(from) ? convert(bits(value)) : convert(value.integer));
}

} // namespace kiln::ir
