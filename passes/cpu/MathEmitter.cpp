#include "passes/cpu/MathEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace kiln::passes {
namespace {

Value splat(ImplicitLocOpBuilder &b, Type type, TypedAttr scalar) {
  if (auto vector = dyn_cast<VectorType>(type))
    scalar = DenseElementsAttr::get(vector, Attribute(scalar));
  return arith::ConstantOp::create(b, scalar);
}

} // namespace

Type MathEmitter::withElement(Type element) const {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

Type MathEmitter::integerType() const {
  return withElement(isF32() ? b.getI32Type() : b.getI64Type());
}

Value MathEmitter::number(double value) {
  return splat(b, type, b.getFloatAttr(getElementTypeOrSelf(type), value));
}
Value MathEmitter::add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value MathEmitter::sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value MathEmitter::mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value MathEmitter::div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }

Value MathEmitter::mulAdd(Value x, Value y, Value z) {
  if (options.fma)
    return LLVM::FMAOp::create(b, x, y, z);
  return add(mul(x, y), z);
}

Value MathEmitter::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = number(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = mulAdd(sum, x, coefficient);
  return sum;
}

Value MathEmitter::neg(Value x) { return arith::NegFOp::create(b, x); }
Value MathEmitter::abs(Value x) { return LLVM::FAbsOp::create(b, x); }
Value MathEmitter::copySign(Value magnitude, Value sign) {
  return LLVM::CopySignOp::create(b, magnitude, sign);
}
Value MathEmitter::sqrt(Value x) { return LLVM::SqrtOp::create(b, x); }
Value MathEmitter::floor(Value x) { return LLVM::FFloorOp::create(b, x); }
Value MathEmitter::ceil(Value x) { return LLVM::FCeilOp::create(b, x); }
Value MathEmitter::trunc(Value x) { return LLVM::FTruncOp::create(b, x); }
Value MathEmitter::roundEven(Value x) { return LLVM::RoundEvenOp::create(b, x); }

Value MathEmitter::less(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
}
Value MathEmitter::equal(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
}
Value MathEmitter::unorderedLess(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::ULT, x, y);
}
Value MathEmitter::exclusive(Value x, Value y) { return arith::XOrIOp::create(b, x, y); }
Value MathEmitter::both(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
Value MathEmitter::negate(Value condition) {
  return arith::XOrIOp::create(b, condition,
                               splat(b, condition.getType(), b.getIntegerAttr(b.getI1Type(), 1)));
}
Value MathEmitter::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value MathEmitter::any(Value condition) {
  if (!isa<VectorType>(condition.getType()))
    return condition;
  return vector::ReductionOp::create(b, vector::CombiningKind::OR, condition);
}

Value MathEmitter::integer(int64_t value) {
  Type element = getElementTypeOrSelf(integerType());
  return splat(b, integerType(), b.getIntegerAttr(element, value));
}
Value MathEmitter::bits(Value x) { return arith::BitcastOp::create(b, integerType(), x); }
Value MathEmitter::fromBits(Value x) { return arith::BitcastOp::create(b, type, x); }
Value MathEmitter::addInt(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
Value MathEmitter::subInt(Value x, Value y) { return arith::SubIOp::create(b, x, y); }
Value MathEmitter::andInt(Value x, Value y) { return arith::AndIOp::create(b, x, y); }
Value MathEmitter::minInt(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
Value MathEmitter::shiftLeft(Value x, int64_t count) {
  return arith::ShLIOp::create(b, x, integer(count));
}
Value MathEmitter::shiftRight(Value x, int64_t count) {
  return arith::ShRSIOp::create(b, x, integer(count));
}
Value MathEmitter::isNonZero(Value x) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, integer(0));
}
Value MathEmitter::toFloat(Value integer) { return arith::SIToFPOp::create(b, type, integer); }

Value MathEmitter::powerOfTwo(Value t, int64_t offset) {
  // The magic number's own bits are shifted out.
  int64_t mantissaBits = isF32() ? 23 : 52, bias = isF32() ? 127 : 1023;
  Value exponent = shiftLeft(bits(t), mantissaBits);
  return fromBits(addInt(exponent, integer((bias + offset) << mantissaBits)));
}

Value MathEmitter::widen(Value x) {
  return arith::ExtFOp::create(b, withElement(b.getF64Type()), x);
}
Value MathEmitter::narrow(Value x) {
  return arith::TruncFOp::create(b, withElement(b.getF32Type()), x);
}
Value MathEmitter::lowHalf(Value x) {
  return arith::TruncIOp::create(b, withElement(b.getI32Type()), x);
}

} // namespace kiln::passes
