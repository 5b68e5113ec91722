// log, log1p and pow.
#include "passes/cpu/MathEmitter.h"

#include <limits>
#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// ln 2 in two parts; the first has 9 bits, so that its products with exponents are exact.
constexpr double ln2High = 0.693359375;
constexpr double ln2Low = std::numbers::ln2 - ln2High;

constexpr int64_t sqrtHalfBits = 0x3f3504f3; // of float32
constexpr int64_t exponentMask = -(1 << 23); // sign and exponent of float32

/// e ln 2 + log(1 + f) for f in [sqrt(1/2) - 1, sqrt 2 - 1].
/// Minimax of (log(1+f) - f + f^2/2) / f^3, relative error of the whole 5.9e-9.
Value logOf(MathEmitter &m, Value e, Value f) {
  Value square = m.mul(f, f);
  Value p = m.polynomial(f, {0.333333313, -0.250008225, 0.200012594, -0.16623345, 0.142010629,
                             -0.131595314, 0.127658293, -0.0764139369});
  Value y = m.mul(m.mul(f, square), p);
  y = m.mulAdd(e, ln2Low, y);
  y = m.mulAdd(square, -0.5, y);
  return m.mulAdd(e, ln2High, m.add(f, y));
}

} // namespace

Decomposed emitDecompose(MathEmitter &m, Value x) {
  Value subnormal = m.less(x, 0x1p-126);
  x = m.select(subnormal, m.mul(x, 0x1p23), x);
  Value distance = m.subInt(m.bits(x), m.integer(sqrtHalfBits));
  Value mantissa = m.fromBits(m.subInt(m.bits(x), m.andInt(distance, m.integer(exponentMask))));
  Value exponent = m.toFloat(m.shiftRight(distance, 23));
  return {mantissa, m.add(exponent, m.select(subnormal, m.number(-23), m.number(0)))};
}

Value emitLog(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Decomposed d = emitDecompose(m, x);
  Value result = logOf(m, d.exponent, m.sub(d.mantissa, 1));
  result = m.select(m.less(x, infinity), result, x); // inf and NaN stay
  result = m.select(m.less(x, 0.0), m.number(nan), result);
  return m.select(m.equal(x, 0.0), m.number(-infinity), result);
}

Value emitLog1p(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  // u = 1 + x = m * 2^e with a rounding error d: log(1 + x) = e ln 2 + log(1 + (m - 1 + d * 2^-e)).
  MathEmitter m(b, x, options);
  Value u = m.add(x, 1);
  Value rest = m.sub(x, m.sub(u, 1));
  Value distance = m.subInt(m.bits(u), m.integer(sqrtHalfBits));
  Value shift = m.andInt(distance, m.integer(exponentMask));
  Value mantissa = m.fromBits(m.subInt(m.bits(u), shift));
  // 2^-e; from 2^127 on, where it would be no normal number, d is 0.
  Value scaleBits = m.subInt(m.integer(0x3f800000), m.minInt(shift, m.integer(0x3f000000)));
  Value f = m.mulAdd(rest, m.fromBits(scaleBits), m.sub(mantissa, 1));
  Value result = m.copySign(logOf(m, m.toFloat(m.shiftRight(distance, 23)), f), x); // -0 stays
  result = m.select(m.less(x, infinity), result, x);
  result = m.select(m.less(x, -1.0), m.number(nan), result);
  return m.select(m.equal(x, -1.0), m.number(-infinity), result);
}

Value emitPow(ImplicitLocOpBuilder &b, Value x, Value y, const MathOptions &options) {
  // In double: |x|^y = 2^(y log2 |x|).
  MathEmitter m(b, x, options);
  Value magnitude = m.abs(x);
  Decomposed d = emitDecompose(m, magnitude);
  Value wideMantissa = m.widen(d.mantissa);
  MathEmitter w(b, wideMantissa, options);
  // log2 m = s P(s^2), s = (m-1)/(m+1); minimax, relative error 4.3e-12.
  Value s = w.div(w.sub(wideMantissa, 1), w.add(wideMantissa, 1));
  Value p =
      w.polynomial(w.mul(s, s), {0x1.71547652bee70p+1, 0x1.ec709d1228cf0p-1, 0x1.2777806d4c057p-1,
                                 0x1.a58d4702045d1p-2, 0x1.5ced50dcc477cp-2});
  Value log2 = w.mulAdd(s, p, w.widen(d.exponent));
  log2 = w.select(m.equal(x, 0.0), w.number(-infinity), log2);
  log2 = w.select(m.less(magnitude, infinity), log2, w.widen(magnitude)); // inf and NaN
  // 2^(n + r), |r| <= 1/2; the bounds are beyond what float32 holds.
  Value power = w.atLeast(w.atMost(w.mul(w.widen(y), log2), 140), -160);
  Value t = w.add(power, w.roundingMagic());
  Value r = w.sub(power, w.sub(t, w.roundingMagic()));
  // Minimax of (2^r - 1) / r, relative error of the whole 8.2e-9.
  Value q = w.polynomial(r, {0x1.62e430b0467e2p-1, 0x1.ebfbce0b65c08p-3, 0x1.c6aed7e7f95e4p-5,
                             0x1.3b31429d69555p-7, 0x1.5f515a84e493ep-10, 0x1.42d1292c4aeccp-13});
  Value result = m.narrow(w.mul(w.mulAdd(r, q, 1), w.powerOfTwo(t)));
  result = m.select(m.equal(magnitude, 1), m.number(1), result); // (+-1)^inf

  Value half = m.mul(y, 0.5);
  Value isInteger = m.equal(m.floor(y), y); // infinities count as even
  Value isOdd = m.both(isInteger, m.negate(m.equal(m.floor(half), half)));
  result = m.select(isOdd, m.copySign(result, x), result);
  Value isNegative = m.both(m.less(x, 0.0), m.less(m.number(-infinity), x));
  result = m.select(m.both(isNegative, m.negate(isInteger)), m.number(nan), result);
  result = m.select(m.equal(x, 1), m.number(1), result); // 1^NaN
  return m.select(m.equal(y, 0.0), m.number(1), result); // NaN^0
}

} // namespace kiln::passes
