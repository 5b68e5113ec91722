#include "passes/cpu/VectorMath.h"

#include "passes/cpu/MathEmitter.h"

#include <cmath>
#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// ln 2 in two parts; the first has 9 bits, so that its products with exponents are exact.
constexpr double ln2High = 0.693359375;
constexpr double ln2Low = std::numbers::ln2 - ln2High;

// e^x overflows above 88.73 and rounds to 0 below -103.98.
constexpr double expHighest = 89, expLowest = -104;

/// x = n ln 2 + r with |r| <= ln 2 / 2.
struct Reduced {
  Value t; // n + roundingMagic
  Value r;
};

Reduced reduceByLn2(MathEmitter &m, Value x) {
  Value t = m.mulAdd(x, std::numbers::log2e, m.number(m.roundingMagic()));
  Value n = m.sub(t, m.roundingMagic());
  Value r = m.mulAdd(n, -ln2High, x);
  return {t, m.mulAdd(n, -ln2Low, r)};
}

/// e^r - 1 for |r| <= ln 2 / 2. Minimax of (e^r - 1 - r) / r^2, relative error of the whole 1.4e-8.
Value reducedExpm1(MathEmitter &m, Value r) {
  Value q = m.polynomial(r, {0.49999997, 0.16666539, 0.0416677445, 0.00836704019, 0.00138401682});
  return m.mulAdd(m.mul(r, r), q, r);
}

/// Numerator and denominator of sigmoid(x) that neither overflow nor lose small results.
struct Sigmoid {
  Value numerator, denominator;
};
Sigmoid sigmoidParts(MathEmitter &m, Value x) {
  Value e = emitExpBelow(m, m.neg(m.abs(x)), 0);
  return {m.select(m.less(x, 0.0), e, m.number(1)), m.add(e, 1)};
}

/// x * sigmoid(y).
Value timesSigmoid(MathEmitter &m, Value x, Value y) {
  Sigmoid s = sigmoidParts(m, y);
  return m.div(m.mul(x, s.numerator), s.denominator);
}

} // namespace

Value emitExpBelow(MathEmitter &m, Value x, double highest) {
  x = m.atLeast(x, expLowest);
  if (highest > expHighest)
    x = m.atMost(x, expHighest);
  auto [t, r] = reduceByLn2(m, x);
  Value p = m.add(reducedExpm1(m, r), 1);
  // 2^n in two factors: n reaches from -150 to 128.
  Value n = m.subInt(m.bits(t), m.integer(0x4b400000)); // the bits of roundingMagic
  Value half = m.shiftRight(n, 1);
  auto power = [&](Value exponent) {
    return m.fromBits(m.shiftLeft(m.addInt(exponent, m.integer(127)), 23));
  };
  return m.mul(m.mul(p, power(half)), power(m.subInt(n, half)));
}

Value emitExp(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  return emitExpBelow(m, x, infinity);
}

Value emitExpFlushed(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  // n = -127 is the exponent of zero. All below it is clamped to it: -88.02 / ln 2 = -126.99.
  auto [t, r] = reduceByLn2(m, m.atLeast(x, -88.02));
  return m.mul(m.add(reducedExpm1(m, r), 1), m.powerOfTwo(t));
}

Value emitExp2Flushed(ImplicitLocOpBuilder &b, Value x, const MathOptions &options, bool rough) {
  MathEmitter m(b, x, options);
  // 2^r for |r| <= 1/2, minimax with 1 at 0, relative errors 2.0e-9 and 1.1e-4.
  static constexpr double close[] = {
      1, 0.693147203, 0.240226479, 0.0555033247, 0.00961843736, 0.00133988745, 0.000153533621};
  static constexpr double near[] = {1, 0.693282928, 0.242210966, 0.0550089319};
  Value t = m.add(x, m.roundingMagic());
  Value r = m.sub(x, m.sub(t, m.roundingMagic()));
  Value p = m.polynomial(r, rough ? ArrayRef<double>(near) : ArrayRef<double>(close));
  // From -126 on the power is a normal number. Below, what became of infinity is thrown away.
  return m.select(m.less(x, -126), m.number(0), m.mul(p, m.powerOfTwo(t)));
}

Value emitExpm1(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  auto [t, r] = reduceByLn2(m, m.atMost(m.atLeast(x, -20), expHighest));
  // 2 * (2^(n-1) * (e^r - 1) + (2^(n-1) - 1/2)): n may be 128.
  Value power = m.powerOfTwo(t, -1);
  Value half = m.mulAdd(power, reducedExpm1(m, r), m.sub(power, 0.5));
  // Tiny arguments are their own results, -0 too.
  return m.select(m.less(m.abs(x), 0x1p-25), x, m.add(half, half));
}

Value emitTanh(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Value magnitude = m.abs(x);
  // Near zero: x + x^3 P(x^2), minimax, relative error 3.7e-8 up to 0.55.
  Value square = m.mul(x, x);
  Value p = m.polynomial(square, {-0.333329469, 0.133207291, -0.0526720136, 0.01643789});
  Value near = m.mulAdd(m.mul(square, p), x, x);
  // Beyond: 1 - 2 / (e^2x + 1); 1 from 9.02 on.
  Value t = m.atMost(magnitude, 9.2);
  auto [rounded, r] = reduceByLn2(m, m.add(t, t));
  Value e = m.mulAdd(reducedExpm1(m, r), m.powerOfTwo(rounded), m.powerOfTwo(rounded));
  Value far = m.sub(m.number(1), m.div(m.number(2), m.add(e, 1)));
  return m.copySign(m.select(m.less(magnitude, 0.55), near, far), x);
}

Value emitSigmoid(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Sigmoid s = sigmoidParts(m, x);
  return m.div(s.numerator, s.denominator);
}

Value emitSilu(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  return timesSigmoid(m, x, x);
}

Value emitGeluQuick(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  return timesSigmoid(m, x, m.mul(x, 1.702));
}

Value emitGeluTanh(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  // (1 + tanh u) / 2 = sigmoid(2u), which keeps small results accurate.
  MathEmitter m(b, x, options);
  constexpr double scale = 2 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  Value inner = m.mulAdd(m.mul(x, x), m.number(scale * 0.044715), scale);
  return timesSigmoid(m, x, m.mul(x, inner));
}

Value emitSqrt(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return MathEmitter(b, x, options).sqrt(x);
}

Value emitRsqrt(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  return m.div(m.number(1), m.sqrt(x));
}

Value emitFloor(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return MathEmitter(b, x, options).floor(x);
}
Value emitCeil(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return MathEmitter(b, x, options).ceil(x);
}
Value emitTrunc(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return MathEmitter(b, x, options).trunc(x);
}
Value emitRoundEven(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return MathEmitter(b, x, options).roundEven(x);
}

} // namespace kiln::passes
