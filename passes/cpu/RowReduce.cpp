#include "passes/cpu/RowReduce.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {
constexpr int64_t accumulators = 4; // hides the latency of an addition (4 cycles)
}

Value emitCombine(FunctionEmitter &f, Reduction reduction, DType dtype, Value x, Value y) {
  switch (reduction) {
  case Reduction::sum:
    return emitElementwise(f, "add", dtype, {x, y});
  case Reduction::product:
    return emitElementwise(f, "mul", dtype, {x, y});
  case Reduction::max:
    return emitElementwise(f, "maximum", dtype, {x, y});
  case Reduction::min:
    return emitElementwise(f, "minimum", dtype, {x, y});
  }
  llvm_unreachable("all reductions are above");
}

Value emitNeutral(FunctionEmitter &f, Reduction reduction, DType dtype, bool vector) {
  Type type = computeType(f, dtype);
  TypedAttr attr;
  if (auto floatType = dyn_cast<FloatType>(type)) {
    double infinity = std::numeric_limits<double>::infinity();
    double value = reduction == Reduction::sum       ? 0
                   : reduction == Reduction::product ? 1
                   : reduction == Reduction::max     ? -infinity
                                                     : infinity;
    attr = FloatAttr::get(type, value);
  } else {
    unsigned width = type.getIntOrFloatBitWidth();
    bool sign = isSigned(dtype);
    APInt least = sign ? APInt::getSignedMinValue(width) : APInt::getMinValue(width);
    APInt most = sign ? APInt::getSignedMaxValue(width) : APInt::getMaxValue(width);
    APInt value = reduction == Reduction::sum       ? APInt(width, 0)
                  : reduction == Reduction::product ? APInt(width, 1)
                  : reduction == Reduction::max     ? least
                                                    : most;
    attr = IntegerAttr::get(type, value);
  }
  if (vector)
    attr = DenseElementsAttr::get(f.vec(type), Attribute(attr));
  return arith::ConstantOp::create(f.b, attr);
}

Value emitRowReduction(FunctionEmitter &f, Reduction reduction, DType dtype, Value count,
                       llvm::function_ref<Value(Value, Value)> element) {
  auto combine = [&](Value x, Value y) { return emitCombine(f, reduction, dtype, x, y); };
  Value neutral = emitNeutral(f, reduction, dtype, /*vector=*/true);
  Value step = f.constant(accumulators * f.lanes());
  Value blocked = f.mul(f.div(count, step), step);
  SmallVector<Value> init(accumulators, neutral);
  auto sums = f.fold(f.constant(0), blocked, step, init, [&](Value column, ValueRange carried) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < accumulators; ++i)
      next.push_back(combine(carried[i], element(f.add(column, i * f.lanes()), {})));
    return next;
  });
  Value total = combine(combine(sums[0], sums[1]), combine(sums[2], sums[3]));

  // The rest in masked vectors; lanes that are off count as neutral.
  auto rest = f.fold(blocked, count, f.constant(f.lanes()), total,
                     [&](Value column, ValueRange carried) -> SmallVector<Value> {
                       Value mask = f.prefixMask(f.sub(count, column));
                       Value values =
                           arith::SelectOp::create(f.b, mask, element(column, mask), neutral);
                       return {combine(carried[0], values)};
                     });
  // Halves onto halves, down to one lane.
  Value vector = rest[0];
  for (int64_t width = f.lanes() / 2; width >= 1; width /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < width; ++i) {
      low.push_back(i);
      high.push_back(width + i);
    }
    Value lowHalf = vector::ShuffleOp::create(f.b, vector, vector, low);
    Value highHalf = vector::ShuffleOp::create(f.b, vector, vector, high);
    vector = combine(lowHalf, highHalf);
  }
  return vector::ExtractOp::create(f.b, vector, int64_t(0));
}

RowStatistics emitRowStatistics(FunctionEmitter &f, DType dtype, Value count, double epsilon,
                                llvm::function_ref<Value(Value, Value)> element) {
  Type type = computeType(f, dtype);
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(f.b, FloatAttr::get(type, value));
  };
  Value size = arith::SIToFPOp::create(f.b, type, count);
  Value sum = emitRowReduction(f, Reduction::sum, dtype, count, element);
  Value mean = arith::DivFOp::create(f.b, sum, size);
  Value means = f.splat(mean);
  Value squares =
      emitRowReduction(f, Reduction::sum, dtype, count, [&](Value column, Value mask) -> Value {
        Value x = element(column, mask);
        Value distance = arith::SubFOp::create(f.b, x, means);
        return arith::MulFOp::create(f.b, distance, distance);
      });
  Value variance = arith::DivFOp::create(f.b, squares, size);
  Value root = LLVM::SqrtOp::create(f.b, arith::AddFOp::create(f.b, variance, number(epsilon)));
  return {mean, arith::DivFOp::create(f.b, number(1), root)};
}

Value emitNormalised(FunctionEmitter &f, Value x, const RowStatistics &statistics, Value weight,
                     Value bias) {
  Value distance = arith::SubFOp::create(f.b, x, f.splat(statistics.mean));
  Value result = arith::MulFOp::create(f.b, distance, f.splat(statistics.scale));
  if (weight)
    result = arith::MulFOp::create(f.b, result, weight);
  if (bias)
    result = arith::AddFOp::create(f.b, result, bias);
  return result;
}

} // namespace kiln::passes
