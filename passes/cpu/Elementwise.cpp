// The operations of ir/Elementwise.def on computed values, one table entry each.
#include "passes/cpu/DoubleMath.h"
#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Operands of one elementwise operation and what is known of them.
struct Operands {
  FunctionEmitter &f;
  DType dtype; // of the operands, as the user sees it
  ValueRange values;

  Value x() const { return values[0]; }
  Value y() const { return values[1]; }
  bool isFloat() const { return kiln::isFloat(dtype); }
  bool isSigned() const { return kiln::isSigned(dtype); }

  MathOptions math() const {
    return {f.lowering.target.fma, !f.isOnDevice() && f.lowering.target.vectorBytes == 64};
  }

  Value number(double value) const { // of x's type
    Type type = x().getType(), element = getElementTypeOrSelf(type);
    TypedAttr scalar = isa<FloatType>(element)
                           ? TypedAttr(FloatAttr::get(element, value))
                           : TypedAttr(IntegerAttr::get(element, static_cast<int64_t>(value)));
    if (auto vector = dyn_cast<VectorType>(type))
      scalar = DenseElementsAttr::get(vector, Attribute(scalar));
    return arith::ConstantOp::create(f.b, scalar);
  }
  Value compare(arith::CmpFPredicate floats, arith::CmpIPredicate sign,
                arith::CmpIPredicate noSign) const {
    if (isFloat())
      return arith::CmpFOp::create(f.b, floats, x(), y());
    return arith::CmpIOp::create(f.b, isSigned() ? sign : noSign, x(), y());
  }
};

using Emit = Value (*)(const Operands &);

template <class FloatOp, class IntegerOp> Value arithmetic(const Operands &o) {
  if (o.isFloat())
    return FloatOp::create(o.f.b, o.x(), o.y());
  return IntegerOp::create(o.f.b, o.x(), o.y());
}

Value emitNeg(const Operands &o) {
  if (o.isFloat())
    return arith::NegFOp::create(o.f.b, o.x());
  return arith::SubIOp::create(o.f.b, o.number(0), o.x());
}

Value emitAbs(const Operands &o) {
  if (o.isFloat())
    return LLVM::FAbsOp::create(o.f.b, o.x());
  if (!o.isSigned())
    return o.x();
  return arith::MaxSIOp::create(o.f.b, o.x(), emitNeg(o));
}

Value emitRelu(const Operands &o) { // NaN stays
  if (o.isFloat()) {
    Value below = arith::CmpFOp::create(o.f.b, arith::CmpFPredicate::OLE, o.x(), o.number(0));
    return arith::SelectOp::create(o.f.b, below, o.number(0), o.x());
  }
  return o.isSigned() ? Value(arith::MaxSIOp::create(o.f.b, o.x(), o.number(0))) : o.x();
}

/// x if it is the greater (lesser) or NaN, else y.
template <arith::CmpFPredicate predicate, class Signed, class Unsigned>
Value emitExtremum(const Operands &o) {
  if (!o.isFloat())
    return o.isSigned() ? Value(Signed::create(o.f.b, o.x(), o.y()))
                        : Value(Unsigned::create(o.f.b, o.x(), o.y()));
  Value first = arith::CmpFOp::create(o.f.b, predicate, o.x(), o.y());
  Value nan = arith::CmpFOp::create(o.f.b, arith::CmpFPredicate::UNO, o.x(), o.x());
  Value takeX = arith::OrIOp::create(o.f.b, first, nan);
  return arith::SelectOp::create(o.f.b, takeX, o.x(), o.y());
}

/// Divisors that would trap are replaced: 0 gives 0, and -1 is done by negation.
struct SafeDivision {
  Value isZero, isMinusOne, divisor;
  explicit SafeDivision(const Operands &o) {
    auto is = [&](int64_t value) -> Value {
      return arith::CmpIOp::create(o.f.b, arith::CmpIPredicate::eq, o.y(), o.number(value));
    };
    isZero = is(0);
    Value special = isZero;
    if (o.isSigned()) {
      isMinusOne = is(-1);
      special = arith::OrIOp::create(o.f.b, isZero, isMinusOne);
    }
    divisor = arith::SelectOp::create(o.f.b, special, o.number(1), o.y());
  }
};

Value emitFloorDiv(const Operands &o) {

  if (o.isFloat())
    return LLVM::FFloorOp::create(o.f.b, arith::DivFOp::create(o.f.b, o.x(), o.y()));
  SafeDivision safe(o);
  Value quotient = arith::DivUIOp::create(o.f.b, o.x(), safe.divisor);
  if (o.isSigned()) {
    Value truncated = arith::DivSIOp::create(o.f.b, o.x(), safe.divisor);
    Value product = arith::MulIOp::create(o.f.b, truncated, safe.divisor);
    Value inexact = arith::CmpIOp::create(o.f.b, arith::CmpIPredicate::ne, product, o.x());
    Value signs = arith::XOrIOp::create(o.f.b, o.x(), safe.divisor);
    Value negative = arith::CmpIOp::create(o.f.b, arith::CmpIPredicate::slt, signs, o.number(0));
    Value down = arith::AndIOp::create(o.f.b, inexact, negative);
    Value lower = arith::SubIOp::create(o.f.b, truncated, o.number(1));
    quotient = arith::SelectOp::create(o.f.b, down, lower, truncated);
    quotient = arith::SelectOp::create(o.f.b, safe.isMinusOne, emitNeg(o), quotient);
  }

  return arith::SelectOp::create(o.f.b, safe.isZero, o.number(0), quotient);
}

Value emitMod(const Operands &o) {
  if (o.isFloat())
    return emitFloorMod(o.f.b, o.x(), o.y(), o.math());
  SafeDivision safe(o);
  Value result;
  if (!o.isSigned()) {
    result = arith::RemUIOp::create(o.f.b, o.x(), safe.divisor);
  } else { // the sign of the divisor
    Value rem = arith::RemSIOp::create(o.f.b, o.x(), safe.divisor);
    Value nonZero = arith::CmpIOp::create(o.f.b, arith::CmpIPredicate::ne, rem, o.number(0));
    Value signs = arith::XOrIOp::create(o.f.b, rem, safe.divisor);
    Value differ = arith::CmpIOp::create(o.f.b, arith::CmpIPredicate::slt, signs, o.number(0));
    Value move = arith::AndIOp::create(o.f.b, nonZero, differ);
    Value moved = arith::AddIOp::create(o.f.b, rem, safe.divisor);
    result = arith::SelectOp::create(o.f.b, move, moved, rem);
    result = arith::SelectOp::create(o.f.b, safe.isMinusOne, o.number(0), result);
  }
  return arith::SelectOp::create(o.f.b, safe.isZero, o.number(0), result);
}

/// Integers by squaring, wrapping; a negative exponent gives 1/x towards zero.
Value emitIntegerPow(const Operands &o) {
  FunctionEmitter &f = o.f;
  int64_t width = getElementTypeOrSelf(o.x().getType()).getIntOrFloatBitWidth();
  Value one = o.number(1), zero = o.number(0);
  auto results = f.fold(f.constant(0), f.constant(width), f.constant(1), {one, o.x(), o.y()},
                        [&](Value, ValueRange carried) -> SmallVector<Value> {
                          Value result = carried[0], power = carried[1], exponent = carried[2];
                          Value low = arith::AndIOp::create(f.b, exponent, one);
                          Value odd =
                              arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, low, zero);
                          Value product = arith::MulIOp::create(f.b, result, power);
                          return {arith::SelectOp::create(f.b, odd, product, result),
                                  arith::MulIOp::create(f.b, power, power),
                                  arith::ShRUIOp::create(f.b, exponent, one)};
                        });
  if (!o.isSigned())
    return results[0];
  auto isX = [&](int64_t value) -> Value {
    return arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, o.x(), o.number(value));
  };
  Value unit = arith::OrIOp::create(f.b, isX(1), isX(-1)); // their powers are their own inverses
  Value negative = arith::CmpIOp::create(f.b, arith::CmpIPredicate::slt, o.y(), zero);
  Value inverse = arith::SelectOp::create(f.b, unit, results[0], zero);
  return arith::SelectOp::create(f.b, negative, inverse, results[0]);
}

template <Value (*emit)(ImplicitLocOpBuilder &, Value, const MathOptions &)>
Value math(const Operands &o) {
  return emit(o.f.b, o.x(), o.math());
}

template <class Op> Value intrinsic(const Operands &o) { return Op::create(o.f.b, o.x()); }

template <arith::CmpFPredicate floats, arith::CmpIPredicate sign, arith::CmpIPredicate noSign>
Value compare(const Operands &o) {
  return o.compare(floats, sign, noSign);
}

using F = arith::CmpFPredicate;
using I = arith::CmpIPredicate;

const llvm::StringMap<Emit> &emitters() {
  static const llvm::StringMap<Emit> table = {
      {"neg", emitNeg},
      {"abs", emitAbs},
      {"exp", math<emitExp>},
      {"log", math<emitLog>},
      {"log1p", math<emitLog1p>},
      {"rsqrt", math<emitRsqrt>},
      {"sin", math<emitSin>},
      {"cos", math<emitCos>},
      {"tanh", math<emitTanh>},
      {"erf", math<emitErf>},
      {"gelu",
       [](const Operands &o) -> Value {
         const bool rough = o.dtype == DType::bfloat16 && !o.f.isOnDevice();
         return (rough ? emitGeluRough : emitGelu)(o.f.b, o.x(), o.math());
       }},
      {"gelu_tanh", math<emitGeluTanh>},
      {"gelu_quick", math<emitGeluQuick>},
      {"silu", math<emitSilu>},
      {"sigmoid", math<emitSigmoid>},
      {"sqrt", intrinsic<LLVM::SqrtOp>},
      {"floor", intrinsic<LLVM::FFloorOp>},
      {"ceil", intrinsic<LLVM::FCeilOp>},
      {"round", intrinsic<LLVM::RintOp>},
      {"trunc", intrinsic<LLVM::FTruncOp>},
      {"relu", emitRelu},
      {"is_nan",
       [](const Operands &o) -> Value {
         if (!o.isFloat())
           return arith::CmpIOp::create(o.f.b, I::ne, o.x(), o.x());
         return arith::CmpFOp::create(o.f.b, F::UNO, o.x(), o.x());
       }},
      {"is_inf",
       [](const Operands &o) -> Value {
         if (!o.isFloat())
           return arith::CmpIOp::create(o.f.b, I::ne, o.x(), o.x());
         return arith::CmpFOp::create(o.f.b, F::OEQ, emitAbs(o),
                                      o.number(std::numeric_limits<double>::infinity()));
       }},
      {"not",
       [](const Operands &o) -> Value {
         return arith::XOrIOp::create(o.f.b, o.x(), o.number(-1));
       }},
      {"add", arithmetic<arith::AddFOp, arith::AddIOp>},
      {"sub", arithmetic<arith::SubFOp, arith::SubIOp>},
      {"mul", arithmetic<arith::MulFOp, arith::MulIOp>},
      {"div",
       [](const Operands &o) -> Value { return arith::DivFOp::create(o.f.b, o.x(), o.y()); }},
      {"floor_div", emitFloorDiv},
      {"mod", emitMod},
      {"pow",
       [](const Operands &o) -> Value {
         return o.isFloat() ? emitPow(o.f.b, o.x(), o.y(), o.math()) : emitIntegerPow(o);
       }},
      {"maximum", emitExtremum<F::OGT, arith::MaxSIOp, arith::MaxUIOp>},
      {"minimum", emitExtremum<F::OLT, arith::MinSIOp, arith::MinUIOp>},
      {"eq", compare<F::OEQ, I::eq, I::eq>},
      {"ne", compare<F::UNE, I::ne, I::ne>},
      {"lt", compare<F::OLT, I::slt, I::ult>},
      {"le", compare<F::OLE, I::sle, I::ule>},
      {"gt", compare<F::OGT, I::sgt, I::ugt>},
      {"ge", compare<F::OGE, I::sge, I::uge>},
      {"and", arithmetic<arith::MulFOp, arith::AndIOp>},
      {"or", arithmetic<arith::AddFOp, arith::OrIOp>},
      {"xor", arithmetic<arith::SubFOp, arith::XOrIOp>},
      {"select",
       [](const Operands &o) -> Value {
         return arith::SelectOp::create(o.f.b, o.x(), o.y(), o.values[2]);
       }},
  };
  return table;
}

} // namespace

Value emitElementwise(FunctionEmitter &f, StringRef op, DType dtype, ValueRange operands) {
  if (dtype == DType::float64)
    if (Value result = emitDoubleMath(f, op, operands))
      return result;
  Emit emit = emitters().lookup(op);
  assert(emit && "an elementwise operation without a lowering");
  return emit(Operands{f, dtype, operands});
}

bool hasElementwiseLowering(StringRef op, DType) { return emitters().contains(op); }

} // namespace kiln::passes
