// erf and gelu.
#include "passes/cpu/MathEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {

Value emitErf(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  MathEmitter m(b, x, options);
  Value magnitude = m.abs(x);

  // Near zero: x + x P(x^2), minimax, relative error 1.5e-8 up to 0.9219.
  Value p = m.polynomial(m.mul(x, x), {0.128379151, -0.376125038, 0.112819217, -0.0267704856,
                                       0.00499892561, -0.000602045911});
  Value near = m.mulAdd(p, x, x);

  // Beyond: 1 - 2^(t Q(t)), minimax, relative error of the whole 9.5e-9; 1 from 3.93 on.
  Value t = m.atMost(magnitude, 4);
  Value q = m.polynomial(
      t, {-1.62795329, -0.917699933, -0.15105997, 0.0324571431, -0.00444332696, 0.000282608467});
  Value exponent = m.mul(t, q);
  Value rounded = m.add(exponent, m.roundingMagic());
  Value r = m.sub(exponent, m.sub(rounded, m.roundingMagic()));
  // Minimax of (2^r - 1) / r for |r| <= 1/2, relative error of the whole 1.3e-8.
  Value e = m.polynomial(
      r, {0.693147182, 0.240225941, 0.0555036627, 0.00962543767, 0.00133879331, 0.000133374167});
  Value complement = m.mul(m.mulAdd(e, r, 1), m.powerOfTwo(rounded));
  Value far = m.copySign(m.sub(m.number(1), complement), x);
  return m.select(m.less(magnitude, 0.921875), near, far);
}

/// The end of both: max(x, 0) - tail, the tail vanishing beyond 13, where t Phi(-t) is below
/// float32's normal numbers. The product makes -0, and NaN of -inf as x * Phi(x) does.
static Value geluOf(MathEmitter &m, Value x, Value t, Value tail) {
  tail = m.select(m.less(m.number(13), t), m.number(0), tail);
  return m.sub(m.select(m.less(x, 0.0), m.mul(x, 0.0), x), tail);
}

Value emitGelu(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  // gelu(x) = max(x, 0) - t Phi(-t) with t = |x|: nothing cancels, so small results are accurate.
  // By erf the results below -3 would only be accurate to 1e-7 absolutely. Phi(-t) = e^(-t^2/2)
  // G(t), G smooth, a rational function here.
  MathEmitter m(b, x, options);
  Value t = m.abs(x);

  // t^2 = square + low exactly: a rounding error of t^2 would be one of the result, times t^2 / 2.
  Value square, low;
  if (options.fma) {
    square = m.mul(t, t);
    low = m.mulAdd(t, t, m.neg(square));
  } else {
    Value high = m.fromBits(m.andInt(m.bits(t), m.integer(-4096))); // 12 bits
    square = m.mul(high, high);
    low = m.mul(m.sub(t, high), m.add(t, high));
  }
  // -t^2/2 = n ln 2 + r/2, |r| <= ln 2; 2 ln 2 in two parts, the first of 9 bits.
  constexpr double high2Ln2 = 1.38671875, low2Ln2 = -4.24388880109381068e-4;
  Value rounded = m.mulAdd(square, -0.72134752044448169, m.number(m.roundingMagic())); // log2(e)/2
  Value n = m.sub(rounded, m.roundingMagic());
  Value r = m.mulAdd(n, -high2Ln2, m.neg(square));
  r = m.sub(m.mulAdd(n, -low2Ln2, r), low);
  // e^(r/2), minimax, relative error 3.3e-9.
  Value e = m.polynomial(
      r, {1, 0.5, 0.124999985, 0.020833144, 0.00260425545, 0.000261542707, 2.16261742e-05});
  e = m.mul(e, m.powerOfTwo(rounded));
  // G, minimax, relative error 2e-7 up to 5.3 and 2e-6 beyond.
  Value numerator = m.polynomial(t, {0.5, 0.345361322, 0.110093459, 0.0148378657});
  Value denominator = m.polynomial(t, {1, 1.48860323, 0.9079687, 0.275601447, 0.0372037515});
  Value tail = m.div(m.mul(m.mul(t, e), numerator), denominator);
  return geluOf(m, x, t, tail);
}

/// 1 / x, relative error 2^-14: AVX-512's instruction for it, else a division. Of a scalar as of a
/// vector.
static Value roughReciprocal(MathEmitter &m, Value x, const MathOptions &options) {
  if (!options.avx512)
    return m.div(m.number(1), x);
  ImplicitLocOpBuilder &b = m.builder();
  auto type = VectorType::get({16}, b.getF32Type());
  const bool isScalar = !isa<VectorType>(x.getType());
  if (!isScalar && x.getType() != type)
    return m.div(m.number(1), x);
  Value vector = isScalar ? Value(vector::BroadcastOp::create(b, type, x)) : x;
  Value all = LLVM::ConstantOp::create(b, b.getI16Type(), b.getI16IntegerAttr(-1));
  Value result =
      LLVM::CallIntrinsicOp::create(b, type, b.getStringAttr("llvm.x86.avx512.rcp14.ps.512"),
                                    ValueRange{vector, vector, all})
          .getResult(0);
  return isScalar ? Value(vector::ExtractOp::create(b, result, int64_t(0))) : result;
}

Value emitGeluRough(ImplicitLocOpBuilder &b, Value x, const MathOptions &options) {
  // As emitGelu, with fewer terms.
  MathEmitter m(b, x, options);
  constexpr double scale = -0.72134752044448169; // -log2(e) / 2
  Value t = m.abs(x), square = m.mul(t, t);
  Value rounded = m.mulAdd(square, scale, m.number(m.roundingMagic()));
  Value r = m.mulAdd(square, scale, m.sub(m.number(m.roundingMagic()), rounded));
  // 2^r for |r| <= 1/2, minimax, relative error 1.1e-4.
  Value e = m.polynomial(r, {1, 0.693282928, 0.242210966, 0.0550089319});
  // G as a polynomial of k = 1 / (1 + 0.3 t), minimax, relative error 2.3e-4.
  Value k = roughReciprocal(m, m.mulAdd(t, 0.3, m.number(1)), options);
  Value g = m.polynomial(k, {0.11820465, 0.13747635, 0.03559152, 0.20884241});
  Value tail = m.mul(m.mul(m.mul(t, k), m.powerOfTwo(rounded)), m.mul(e, g));
  return geluOf(m, x, t, tail);
}

} // namespace kiln::passes
