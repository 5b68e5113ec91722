// sin, cos and the remainders of division.
#include "passes/cpu/MathEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// pi/2 in two parts; the first has 33 bits, so that its products with n < 2^20 are exact in double
// (FreeBSD msun, e_rem_pio2.c).
constexpr double halfPiHigh = 1.57079632673412561417e+00, halfPiLow = 6.07710050650619224932e-11;
constexpr double halfPi = 1.57079632679489661923, twoOverPi = 6.36619772367581382433e-01;

/// Below this the quadrant fits the above.
constexpr double largestDirect = 0x1p20;

// 2/pi in pieces of 24 bits (FreeBSD msun, e_rem_pio2.c): 192 bits, for float32's exponents up to
// 2^128.
constexpr uint32_t twoOverPiPieces[] = {0xa2f983, 0x6e4e44, 0x1529fc, 0x2757d1,
                                        0xf534dd, 0xc0db62, 0x95993c, 0x439041};

/// x = (n + 4k) pi/2 + r with |r| <= pi/4, all in double; t = n + roundingMagic.
struct Quadrant {
  Value t, r;
};

Quadrant reduceDirect(MathEmitter &w, Value x) {
  Value t = w.mulAdd(x, twoOverPi, w.number(w.roundingMagic()));
  Value n = w.sub(t, w.roundingMagic());
  return {t, w.mulAdd(n, -halfPiLow, w.mulAdd(n, -halfPiHigh, x))};
}

/// For any finite float32 x: x * 2/pi modulo 4, piece by piece. The product of x (24 bits) with a
/// piece is exact, and so is its remainder modulo 4; the whole quadrants are taken out of the sum
/// at once, so that it stays exact where it cancels.
Quadrant reduceLarge(MathEmitter &w, Value x) {
  Value quadrants = w.number(0), fraction = w.number(0);
  double unit = 1;
  for (uint32_t piece : twoOverPiPieces) {
    unit *= 0x1p-24;
    Value product = w.mul(x, piece * unit);
    Value fours = w.roundEven(w.mul(product, 0.25));
    fraction = w.add(fraction, w.sub(product, w.mul(fours, 4)));
    Value whole = w.roundEven(fraction);
    quadrants = w.add(quadrants, whole);
    fraction = w.sub(fraction, whole);
  }
  return {w.add(quadrants, w.roundingMagic()), w.mul(fraction, halfPi)};
}

/// sin(x + shift * pi/2).
Value emitSine(ImplicitLocOpBuilder &b, Value x, int64_t shift, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Value wide = m.widen(x);
  MathEmitter w(b, wide, options);
  Quadrant direct = reduceDirect(w, wide);
  // NaN and infinity count as large too; both ways make NaN of them.
  Value isLarge = m.negate(m.less(m.abs(x), largestDirect));
  auto branch = scf::IfOp::create(b, TypeRange{wide.getType(), wide.getType()}, m.any(isLarge),
                                  /*withElseRegion=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Quadrant large = reduceLarge(w, wide);
    scf::YieldOp::create(
        b, ValueRange{w.select(isLarge, large.t, direct.t), w.select(isLarge, large.r, direct.r)});
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, ValueRange{direct.t, direct.r});
  }
  Value r = m.narrow(branch.getResult(1));
  Value n = m.addInt(m.lowHalf(w.bits(branch.getResult(0))), m.integer(shift));
  Value square = m.mul(r, r);
  // Minimax for |r| <= pi/4: relative errors 4e-9 and 1.2e-10.
  Value sinP = m.polynomial(square, {-0.166666552, 0.00833218731, -0.00019517896});
  Value sine = m.mulAdd(m.mul(r, square), sinP, r);
  Value cosP = m.polynomial(square, {0.0416666456, -0.00138873095, 2.44323255e-05});
  Value cosine = m.mulAdd(m.mul(square, square), cosP, m.mulAdd(square, -0.5, m.number(1)));
  Value result = m.select(m.isNonZero(m.andInt(n, m.integer(1))), cosine, sine);
  return m.select(m.isNonZero(m.andInt(n, m.integer(2))), m.neg(result), result);
}

} // namespace

Value emitSin(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  return m.select(m.equal(x, 0.0), x, emitSine(b, x, 0, options)); // -0 stays
}
Value emitCos(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  return emitSine(b, x, 1, options);
}

Value emitFmod(ImplicitLocOpBuilder &b, Value x, Value y, const MathOptions &options) {
  // In double, by long division with digits of 28 bits: each product with y (24 bits) is exact. One
  // digit is enough where the quotient is below 2^28. y = 0 and x = inf make NaN of the rest, which
  // ends it.
  MathEmitter m(b, x, options);
  Value divisor = m.widen(m.abs(y));
  MathEmitter w(b, divisor, options);
  auto loop = scf::WhileOp::create(
      b, divisor.getType(), ValueRange{m.widen(m.abs(x))},
      [&](OpBuilder &, Location, ValueRange rest) {
        Value goesOn = w.any(w.negate(w.unorderedLess(rest[0], divisor)));
        scf::ConditionOp::create(b, goesOn, rest);
      },
      [&](OpBuilder &, Location, ValueRange rest) {
        Value quotient = w.trunc(w.div(rest[0], divisor));
        Value digits = w.fromBits(w.andInt(w.bits(quotient), w.integer(-(int64_t{1} << 25))));
        Value left = w.sub(rest[0], w.mul(digits, divisor));
        // The division may have rounded up.
        left = w.select(w.less(left, 0.0), w.add(left, divisor), left);
        // A lane that is done waits for the others.
        scf::YieldOp::create(b, ValueRange{w.select(w.less(rest[0], divisor), rest[0], left)});
      });
  Value rest = m.copySign(m.narrow(loop.getResult(0)), x);
  return m.select(m.equal(y, y), rest, y);
}

Value emitFloorMod(ImplicitLocOpBuilder &b, Value x, Value y, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Value rest = emitFmod(b, x, y, options);
  Value differ = m.exclusive(m.less(rest, 0.0), m.less(y, 0.0));
  Value isZero = m.equal(rest, 0.0);
  Value moved = m.select(differ, m.add(rest, y), rest);
  return m.select(isZero, m.copySign(rest, y), moved); // NumPy: a zero has the divisor's sign
}

} // namespace kiln::passes
