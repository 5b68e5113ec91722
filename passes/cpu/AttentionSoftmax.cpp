#include "passes/cpu/AttentionSoftmax.h"

#include "passes/cpu/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numbers>

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The greater; y if one is NaN (one instruction on x86). NaN need not win: it comes back in the
/// sum.
Value emitGreater(FunctionEmitter &f, Value x, Value y) {
  Value greater = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(f.b, greater, x, y);
}

/// All lanes as one, halves onto halves.
Value emitLanes(FunctionEmitter &f, Value vector, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t half = f.lanes() / 2; half; half /= 2) {
    SmallVector<int64_t> low(half), high(half);
    for (int64_t lane = 0; lane < half; ++lane) {
      low[lane] = lane;
      high[lane] = half + lane;
    }
    vector = combine(vector::ShuffleOp::create(f.b, vector, vector, low),
                     vector::ShuffleOp::create(f.b, vector, vector, high));
  }
  return vector::ExtractOp::create(f.b, vector, int64_t(0));
}

/// What scores count from. Nothing but -inf so far: exp(-inf - 0) = 0, where exp(-inf - -inf) would
/// be NaN.
Value emitReference(FunctionEmitter &f, Value largest) {
  Value nothing =
      arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, largest, f.constantF32(-infinity));
  return arith::SelectOp::create(f.b, nothing, f.constantF32(0), largest);
}

MathOptions options(FunctionEmitter &f) { return {f.lowering.target.fma}; }

} // namespace

void emitSoftmaxLargest(FunctionEmitter &f, const SoftmaxRow &row, Value isFirst,
                        llvm::function_ref<Value(Value, Value, Value)> adjust) {
  auto type = f.vec(f.f32());
  Value lanes = f.constant(f.lanes());
  auto greater = [&](Value x, Value y) { return emitGreater(f, x, y); };
  Value lowests = f.splat(f.constantF32(-infinity));

  // The lanes behind the last score become -inf.
  Value whole = f.mul(f.div(row.count, lanes), f.lanes());
  Value most = f.fold(f.constant(0), whole, lanes, lowests, [&](Value column, ValueRange carried) {
    Value place = f.offset(row.scores, column, 4);
    Value scores = adjust(f.load(type, place), column, {});
    f.store(scores, place);
    return SmallVector<Value>{greater(carried[0], scores)};
  })[0];
  most = f.fold(whole, row.count, lanes, most, [&](Value column, ValueRange carried) {
    Value place = f.offset(row.scores, column, 4);
    Value mask = f.prefixMask(f.sub(row.count, column));
    Value scores = adjust(f.load(type, place), column, mask);
    scores = arith::SelectOp::create(f.b, mask, scores, lowests);
    f.store(scores, place);
    return SmallVector<Value>{greater(carried[0], scores)};
  })[0];

  Value before = f.load(f.f32(), row.largest);
  Value largest = greater(before, emitLanes(f, most, greater));
  f.store(largest, row.largest);
  // What was summed before counted from another largest score, unless that is still the largest.
  Value grown = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OLT, before, largest);
  Value later = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, isFirst,
                                      arith::ConstantIntOp::create(f.b, f.b.getI1Type(), 0));
  f.ifThen(arith::AndIOp::create(f.b, later, grown), [&] {
    Value difference = arith::SubFOp::create(f.b, before, emitReference(f, largest));
    Value changes = emitExp2Flushed(f.b, f.splat(difference), options(f));
    Value change = vector::ExtractOp::create(f.b, changes, int64_t(0));
    f.store(arith::MulFOp::create(f.b, f.load(f.f32(), row.sum), change), row.sum);
    f.loop(f.constant(0), row.outputColumns, lanes, [&](Value column) {
      Value place = f.offset(row.output, column, 4);
      f.store(arith::MulFOp::create(f.b, f.load(type, place), changes), place);
    });
  });
}

void emitSoftmaxWeights(FunctionEmitter &f, const SoftmaxRow &row, bool rough,
                        llvm::function_ref<void(Value weights, Value column)> keep) {
  auto type = f.vec(f.f32());
  auto add = [&](Value x, Value y) -> Value { return arith::AddFOp::create(f.b, x, y); };
  Value references = f.splat(emitReference(f, f.load(f.f32(), row.largest)));
  Value sums = f.fold(f.constant(0), row.count, f.constant(f.lanes()), f.splat(f.constantF32(0)),
                      [&](Value column, ValueRange carried) {
                        Value scores = f.load(type, f.offset(row.scores, column, 4));
                        Value exponents = arith::SubFOp::create(f.b, scores, references);
                        Value weights = emitExp2Flushed(f.b, exponents, options(f), rough);
                        keep(weights, column);
                        return SmallVector<Value>{add(carried[0], weights)};
                      })[0];
  f.store(add(f.load(f.f32(), row.sum), emitLanes(f, sums, add)), row.sum);
}

Value emitInPowersOfTwo(FunctionEmitter &f, Value terms) {
  auto splat = [&](float x) { return f.splat(f.constantF32(x)); };
  Value scaled = arith::MulFOp::create(f.b, terms, splat(std::numbers::log2e_v<float>));
  auto is = [&](arith::CmpFPredicate predicate, Value x) -> Value {
    return arith::CmpFOp::create(f.b, predicate, x, splat(-infinity));
  };
  Value overflows = arith::AndIOp::create(f.b, is(arith::CmpFPredicate::OEQ, scaled),
                                          is(arith::CmpFPredicate::ONE, terms));
  return arith::SelectOp::create(f.b, overflows, splat(std::numeric_limits<float>::lowest()),
                                 scaled);
}

} // namespace kiln::passes
