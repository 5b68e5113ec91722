// dtypes in memory and while computing, and conversions between them.
#include "passes/cpu/ElementEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

Type like(Type element, Value shaped) {
  if (auto vector = dyn_cast<VectorType>(shaped.getType()))
    return VectorType::get(vector.getShape(), element);
  return element;
}

/// A constant integer or float of the shape of `shaped`.
Value integerLike(FunctionEmitter &f, Value shaped, unsigned width, uint64_t value) {
  Type type = like(f.b.getIntegerType(width), shaped);
  APInt bits(width, value, /*isSigned=*/false, /*implicitTrunc=*/true);
  TypedAttr attr = isa<VectorType>(type)
                       ? TypedAttr(DenseElementsAttr::get(cast<ShapedType>(type), bits))
                       : TypedAttr(IntegerAttr::get(type, bits));
  return arith::ConstantOp::create(f.b, attr);
}
Value floatLike(FunctionEmitter &f, Value shaped, double value) {
  Type element = getElementTypeOrSelf(shaped.getType());
  FloatAttr scalar = FloatAttr::get(element, value);
  Type type = shaped.getType();
  TypedAttr attr =
      isa<VectorType>(type)
          ? TypedAttr(DenseElementsAttr::get(cast<ShapedType>(type), Attribute(scalar)))
          : TypedAttr(scalar);
  return arith::ConstantOp::create(f.b, attr);
}

struct Bits { // 32-bit integer arithmetic, scalar or vector
  FunctionEmitter &f;
  Value x;
  Bits c(uint32_t value) const { return {f, integerLike(f, x, 32, value)}; }
  friend Bits operator+(Bits a, Bits b) { return {a.f, arith::AddIOp::create(a.f.b, a.x, b.x)}; }
  friend Bits operator-(Bits a, Bits b) { return {a.f, arith::SubIOp::create(a.f.b, a.x, b.x)}; }
  friend Bits operator&(Bits a, Bits b) { return {a.f, arith::AndIOp::create(a.f.b, a.x, b.x)}; }
  friend Bits operator|(Bits a, Bits b) { return {a.f, arith::OrIOp::create(a.f.b, a.x, b.x)}; }
  Bits shl(uint32_t n) const { return {f, arith::ShLIOp::create(f.b, x, c(n).x)}; }
  Bits shr(uint32_t n) const { return {f, arith::ShRUIOp::create(f.b, x, c(n).x)}; }
  Value lessUnsigned(uint32_t n) const {
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, x, c(n).x);
  }
  Value asFloat() const { return arith::BitcastOp::create(f.b, like(f.f32(), x), x); }
  static Bits of(FunctionEmitter &f, Value value) {
    return {f, arith::BitcastOp::create(f.b, like(f.b.getI32Type(), value), value)};
  }
};

Bits choose(Value condition, Bits x, Bits y) {
  return {x.f, arith::SelectOp::create(x.f.b, condition, x.x, y.x)};
}

Value widen(FunctionEmitter &f, Value half) {
  return arith::ExtUIOp::create(f.b, like(f.b.getI32Type(), half), half);
}
Value narrow(FunctionEmitter &f, Value word) {
  return arith::TruncIOp::create(f.b, like(f.b.getI16Type(), word), word);
}

Value bfloat16ToFloat(FunctionEmitter &f, Value stored) {
  if (f.isOnDevice()) {
    Value half = arith::BitcastOp::create(f.b, like(f.b.getBF16Type(), stored), stored);
    return arith::ExtFOp::create(f.b, like(f.f32(), stored), half);
  }
  return Bits{f, widen(f, stored)}.shl(16).asFloat();
}

/// To nearest even; a NaN stays one (its quiet bit is set).
Value floatToBFloat16(FunctionEmitter &f, Value x) {
  if (f.isOnDevice()) { // which has an instruction for it
    Value half = arith::TruncFOp::create(f.b, like(f.b.getBF16Type(), x), x);
    return arith::BitcastOp::create(f.b, like(f.b.getI16Type(), x), half);
  }
  Bits bits = Bits::of(f, x);
  Bits rounded = (bits + bits.c(0x7fff) + (bits.shr(16) & bits.c(1))).shr(16);
  Bits nan = bits.shr(16) | bits.c(0x40);
  Value isNan = arith::CmpFOp::create(f.b, arith::CmpFPredicate::UNO, x, x);
  return narrow(f, choose(isNan, nan, rounded).x);
}

/// The exponent is moved by a multiplication with 2^112, which also normalises subnormals.
Value float16ToFloat(FunctionEmitter &f, Value stored) {
  if (f.lowering.target.f16c) {
    Value half = arith::BitcastOp::create(f.b, like(f.b.getF16Type(), stored), stored);
    return arith::ExtFOp::create(f.b, like(f.f32(), stored), half);
  }
  Bits word{f, widen(f, stored)};
  Bits sign = (word & word.c(0x8000)).shl(16), magnitude = word & word.c(0x7fff);
  Value unscaled = magnitude.shl(13).asFloat();
  Value scaled = arith::MulFOp::create(f.b, unscaled, floatLike(f, unscaled, 0x1p112));
  Bits special = magnitude.shl(13) | magnitude.c(0x7f800000);
  return (choose(magnitude.lessUnsigned(0x7c00), Bits::of(f, scaled), special) | sign).asFloat();
}

/// To nearest even, subnormals included.
Value floatToFloat16(FunctionEmitter &f, Value x) {
  if (f.lowering.target.f16c) {
    Value half = arith::TruncFOp::create(f.b, like(f.b.getF16Type(), x), x);
    return arith::BitcastOp::create(f.b, like(f.b.getI16Type(), x), half);
  }
  Bits bits = Bits::of(f, x);
  Bits sign = (bits & bits.c(0x80000000)).shr(16), magnitude = bits & bits.c(0x7fffffff);
  // Normal: re-bias the exponent (127 to 15) and round the 13 lost bits.
  Bits normal = (magnitude + bits.c(0xc8000fff) + (magnitude.shr(13) & bits.c(1))).shr(13);
  // Subnormal: adding 0.5 lets the FPU align and round the mantissa.
  Value half = floatLike(f, x, 0.5);
  Value aligned = arith::AddFOp::create(f.b, magnitude.asFloat(), half);
  Bits subnormal = Bits::of(f, aligned) - bits.c(0x3f000000);
  Bits infinity = bits.c(0x7c00), nan = bits.c(0x7e00);
  Bits finite = choose(magnitude.lessUnsigned(0x38800000), subnormal, normal);
  Bits special = choose(magnitude.lessUnsigned(0x7f800001), infinity, nan);
  return narrow(f, (choose(magnitude.lessUnsigned(0x47800000), finite, special) | sign).x);
}

unsigned widthOf(DType dtype) { return 8 * sizeBytes(dtype); }

/// f32 or f64 to an integer: towards zero, saturating, NaN to 0.
Value floatToInteger(FunctionEmitter &f, Value x, DType to) {
  unsigned width = widthOf(to);
  bool sign = isSigned(to);
  double low = sign ? -std::ldexp(1.0, width - 1) : 0.0;
  double high = std::ldexp(1.0, sign ? width - 1 : width);
  Value lowValue = floatLike(f, x, low), highValue = floatLike(f, x, high);
  Value tooHigh = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGE, x, highValue);
  Value inRange =
      arith::AndIOp::create(f.b, arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGE, x, lowValue),
                            arith::CmpFOp::create(f.b, arith::CmpFPredicate::OLT, x, highValue));
  Value tooLow = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OLT, x, lowValue);
  Value safe = arith::SelectOp::create(f.b, inRange, x, floatLike(f, x, 0.0));
  Type type = like(f.b.getIntegerType(width), x);
  Value converted = sign ? Value(arith::FPToSIOp::create(f.b, type, safe))
                         : Value(arith::FPToUIOp::create(f.b, type, safe));
  uint64_t most = sign ? (uint64_t(1) << (width - 1)) - 1 : ~uint64_t(0);
  uint64_t least = sign ? uint64_t(1) << (width - 1) : 0;
  converted = arith::SelectOp::create(f.b, tooHigh, integerLike(f, x, width, most), converted);
  return arith::SelectOp::create(f.b, tooLow, integerLike(f, x, width, least), converted);
}

} // namespace

Type storageType(FunctionEmitter &f, DType dtype) {
  switch (dtype) {
  case DType::float32:
    return f.b.getF32Type();
  case DType::float64:
    return f.b.getF64Type();
  default: // booleans are bytes; 16-bit floats are moved as integers
    return f.b.getIntegerType(widthOf(dtype));
  }
}

Type computeType(FunctionEmitter &f, DType dtype) {
  switch (dtype) {
  case DType::boolean:
    return f.b.getI1Type();
  case DType::float16:
  case DType::bfloat16:
    return f.b.getF32Type();
  default:
    return storageType(f, dtype);
  }
}

Value loadConvert(FunctionEmitter &f, Value stored, DType dtype) {
  switch (dtype) {
  case DType::boolean:
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, stored,
                                 integerLike(f, stored, 8, 0));
  case DType::float16:
    return float16ToFloat(f, stored);
  case DType::bfloat16:
    return bfloat16ToFloat(f, stored);
  default:
    return stored;
  }
}

Value storeConvert(FunctionEmitter &f, Value computed, DType dtype) {
  switch (dtype) {
  case DType::boolean:
    return arith::ExtUIOp::create(f.b, like(f.b.getI8Type(), computed), computed);
  case DType::float16:
    return floatToFloat16(f, computed);
  case DType::bfloat16:
    return floatToBFloat16(f, computed);
  default:
    return computed;
  }
}

Value roundTo(FunctionEmitter &f, Value computed, DType dtype) {
  if (dtype != DType::float16 && dtype != DType::bfloat16)
    return computed;
  return loadConvert(f, storeConvert(f, computed, dtype), dtype);
}

Value emitCast(FunctionEmitter &f, Value x, DType from, DType to) {
  if (from == to)
    return x;
  Type type = like(computeType(f, to), x);
  if (to == DType::boolean) {
    if (isFloat(from))
      return arith::CmpFOp::create(f.b, arith::CmpFPredicate::UNE, x, floatLike(f, x, 0.0));
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, x,
                                 integerLike(f, x, widthOf(from), 0));
  }
  if (isFloat(to)) {
    if (isFloat(from)) {
      unsigned source = getElementTypeOrSelf(x.getType()).getIntOrFloatBitWidth();
      unsigned target = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
      if (source < target)
        return arith::ExtFOp::create(f.b, type, x);
      if (source > target)
        x = arith::TruncFOp::create(f.b, type, x);
      return roundTo(f, x, to);
    }
    bool sign = isSigned(from);
    Value converted = sign ? Value(arith::SIToFPOp::create(f.b, type, x))
                           : Value(arith::UIToFPOp::create(f.b, type, x));
    return roundTo(f, converted, to);
  }
  if (isFloat(from))
    return floatToInteger(f, x, to);
  unsigned source = from == DType::boolean ? 1 : widthOf(from), target = widthOf(to);
  if (source == target)
    return x;
  if (source > target)
    return arith::TruncIOp::create(f.b, type, x);
  if (isSigned(from))
    return arith::ExtSIOp::create(f.b, type, x);
  return arith::ExtUIOp::create(f.b, type, x);
}

Value toIndex(FunctionEmitter &f, Value computed, DType dtype) {
  return emitCast(f, computed, dtype, DType::int64);
}

} // namespace kiln::passes
