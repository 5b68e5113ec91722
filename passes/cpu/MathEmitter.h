#pragma once

#include "passes/cpu/VectorMath.h"

#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/ArrayRef.h"

namespace kiln::passes {

/// Arithmetic on values of one float type (f32 or f64) and of the integers of the same width,
/// scalars or vectors of one length: what VectorMath is written in.
class MathEmitter {
public:
  using Value = mlir::Value;

  /// For values like `x`.
  MathEmitter(mlir::ImplicitLocOpBuilder &b, Value x, const MathOptions &options)
      : b(b), type(x.getType()), options(options) {}

  mlir::ImplicitLocOpBuilder &builder() { return b; }

  // Floats.
  Value number(double value);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);
  Value add(Value x, double y) { return add(x, number(y)); }
  Value sub(Value x, double y) { return sub(x, number(y)); }
  Value mul(Value x, double y) { return mul(x, number(y)); }
  /// x * y + z, in one rounding where the target has FMA.
  Value mulAdd(Value x, Value y, Value z);
  Value mulAdd(Value x, double y, Value z) { return mulAdd(x, number(y), z); }
  Value mulAdd(Value x, Value y, double z) { return mulAdd(x, y, number(z)); }
  /// c[0] + c[1] x + c[2] x^2 + ... by Horner.
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);
  Value neg(Value x);
  Value abs(Value x);
  Value copySign(Value magnitude, Value sign);
  Value sqrt(Value x);
  Value floor(Value x);
  Value ceil(Value x);
  Value trunc(Value x);
  Value roundEven(Value x);

  // Comparisons are false for NaN; `select(less(x, bound), bound, x)` clamps and keeps NaN.
  Value less(Value x, Value y);
  Value less(Value x, double y) { return less(x, number(y)); }
  Value equal(Value x, Value y);
  Value equal(Value x, double y) { return equal(x, number(y)); }
  /// x < y or one is NaN.
  Value unorderedLess(Value x, Value y);
  Value both(Value x, Value y);
  Value exclusive(Value x, Value y); ///< One of two conditions, not both.
  Value negate(Value condition);
  Value select(Value condition, Value x, Value y);
  Value atLeast(Value x, double bound) { return select(less(x, bound), number(bound), x); }
  Value atMost(Value x, double bound) { return select(less(number(bound), x), number(bound), x); }
  /// One i1: whether the condition holds in any lane.
  Value any(Value condition);

  // Integers of the width of the floats.
  Value integer(int64_t value);
  Value bits(Value x);
  Value fromBits(Value x);
  Value addInt(Value x, Value y);
  Value subInt(Value x, Value y);
  Value andInt(Value x, Value y);
  Value minInt(Value x, Value y);
  Value shiftLeft(Value x, int64_t count);
  Value shiftRight(Value x, int64_t count); ///< Arithmetic.
  Value isNonZero(Value x);
  Value toFloat(Value integer);

  /// Adding this rounds |x| < 2^22 (f32) or 2^51 (f64) to the nearest integer and leaves that
  /// integer in the low bits (1.5 * 2^23, 1.5 * 2^52). Unlike a conversion it has a value for NaN
  /// too.
  double roundingMagic() const { return isF32() ? 12582912.0 : 6755399441055744.0; }
  /// 2^(n + offset) of such a sum t = n + roundingMagic(), if that is a normal number.
  Value powerOfTwo(Value t, int64_t offset = 0);

  // Between f32 and f64.
  Value widen(Value x);
  Value narrow(Value x);
  /// The low 32 bits of 64-bit integers.
  Value lowHalf(Value x);
  bool isF32() const { return mlir::getElementTypeOrSelf(type).isF32(); }

private:
  mlir::Type withElement(mlir::Type element) const;
  mlir::Type integerType() const;

  mlir::ImplicitLocOpBuilder &b;
  mlir::Type type;
  MathOptions options;
};

/// What the functions share.
/// e^x for x <= `highest`, where the caller says so to save the clamp; results may be subnormal.
mlir::Value emitExpBelow(MathEmitter &m, mlir::Value x, double highest);

/// A positive float32 as m * 2^e with m in [sqrt(1/2), sqrt 2); all of type f32. Subnormals too;
/// nonsense for zero, negative numbers, infinity and NaN.
struct Decomposed {
  mlir::Value mantissa, exponent;
};
Decomposed emitDecompose(MathEmitter &m, mlir::Value x);

} // namespace kiln::passes
