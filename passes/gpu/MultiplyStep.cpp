#include "passes/gpu/MultiplyStep.h"

#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Words = SmallVector<Value>;

Value number(FunctionEmitter &f, int64_t bits) {
  return arith::ConstantIntOp::create(f.b, static_cast<int32_t>(bits), 32);
}
Value asFloat(FunctionEmitter &f, Value word) {
  return arith::BitcastOp::create(f.b, f.f32(), word);
}
Value asWord(FunctionEmitter &f, Value value) {
  return LLVM::BitcastOp::create(f.b, f.b.getI32Type(), value);
}

/// The first 19 bits of a float32: what tf32 has.
constexpr int64_t firstBits = 0xffffe000;

/// A float32 (as i32) in two parts: its first 19 bits, and the rest. Of infinities the rest is 0,
/// and so is what the other's rest is multiplied by: an infinity by a rest of 0 would be NaN.
struct Parts {
  Words high, finiteHigh, low;
};

Parts splitFinite(FunctionEmitter &f, ValueRange words) {
  Parts parts;
  Value mask = number(f, firstBits);
  for (Value word : words) {
    Value high = arith::AndIOp::create(f.b, word, mask);
    Value rest = arith::SubFOp::create(f.b, asFloat(f, word), asFloat(f, high));
    parts.high.push_back(high);
    parts.low.push_back(arith::AndIOp::create(f.b, asWord(f, rest), mask));
  }
  parts.finiteHigh = parts.high;
  return parts;
}

Parts split(FunctionEmitter &f, ValueRange words) {
  Parts parts;
  Value mask = number(f, firstBits), zero = number(f, 0);
  Value infinity = f.constantF32(std::numeric_limits<float>::infinity());
  for (Value word : words) {
    Value high = arith::AndIOp::create(f.b, word, mask);
    Value value = asFloat(f, word);
    Value rest = arith::SubFOp::create(f.b, value, asFloat(f, high));
    Value magnitude = LLVM::FAbsOp::create(f.b, value);
    Value isInfinite = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, magnitude, infinity);
    rest = arith::SelectOp::create(f.b, isInfinite, f.constantF32(0), rest);
    // A number of less than the smallest tf32 counts as that: an infinity by it is not NaN.
    Value below = arith::SubIOp::create(f.b, asWord(f, magnitude), number(f, 1));
    Value isTiny = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, below,
                                         number(f, ~firstBits & 0xffffffff));
    Value smallest = arith::OrIOp::create(f.b, high, number(f, 0x2000));
    high = arith::SelectOp::create(f.b, isTiny, smallest, high);
    parts.high.push_back(high);
    parts.finiteHigh.push_back(arith::SelectOp::create(f.b, isInfinite, zero, high));
    parts.low.push_back(arith::AndIOp::create(f.b, asWord(f, rest), mask));
  }
  return parts;
}

/// Of all steps, each operand one after the other.
void multiplyInParts(FunctionEmitter &f, ArrayRef<Words> a, ArrayRef<Words> b,
                     MutableArrayRef<Value> sums, Operands operands) {
  auto parts = [&](ArrayRef<Words> all) {
    SmallVector<Parts> result;
    for (const Words &words : all)
      result.push_back(operands == Operands::finite ? splitFinite(f, words) : split(f, words));
    return result;
  };
  SmallVector<Parts> aParts = parts(a), bParts = parts(b);
  const size_t steps = a[0].size() / 4;
  auto multiply = [&](const Words &x, const Words &y, size_t step, ValueRange sum) {
    return device::multiply(f, device::MultiplyType::tf32, ArrayRef(x).slice(step * 4, 4),
                            ArrayRef(y).slice(step * 2, 2), sum);
  };
  Value zero = f.constantF32(0);
  for (size_t step = 0; step < steps; ++step)
    for (size_t m = 0; m < a.size(); ++m)
      for (size_t n = 0; n < b.size(); ++n) {
        Words apart(4, zero);
        apart = multiply(aParts[m].low, bParts[n].finiteHigh, step, apart);
        apart = multiply(aParts[m].finiteHigh, bParts[n].low, step, apart);
        apart = multiply(aParts[m].high, bParts[n].high, step, apart);
        for (auto [total, part] : llvm::zip(sums.slice((m * b.size() + n) * 4, 4), apart))
          total = arith::AddFOp::create(f.b, total, part);
      }
}

Words roundedToTf32(FunctionEmitter &f, const Words &words) {
  Words result;
  for (Value word : words)
    result.push_back(device::roundToTf32(f, asFloat(f, word)));
  return result;
}

/// The words of two steps of float32 as those of one of bfloat16, `perStep` of each. In which order
/// k comes does not matter as long as it is the same for both operands: a thread's elements i and
/// 4 + i of a step of 8 become its pair.
Words roundedToBfloat16(FunctionEmitter &f, const Words &words, size_t perStep) {
  Words result;
  auto two = VectorType::get({2}, f.f32());
  const size_t apart = perStep / 2; // between words of the same row
  Value zero = f.constantF32(0);
  for (size_t first = 0; first < words.size(); first += 2 * perStep)
    for (size_t step = first; step < first + 2 * perStep; step += perStep)
      for (size_t i = 0; i < apart; ++i) {
        auto word = [&](size_t at) { return at < words.size() ? asFloat(f, words[at]) : zero; };
        Value floats = vector::FromElementsOp::create(
            f.b, two, ValueRange{word(step + i), word(step + i + apart)});
        result.push_back(asWord(
            f, arith::TruncFOp::create(f.b, VectorType::get({2}, f.b.getBF16Type()), floats)));
      }
  return result;
}

} // namespace

void emitMultiplySteps(FunctionEmitter &f, const DeviceProduct &product, ArrayRef<Words> a,
                       ArrayRef<Words> b, MutableArrayRef<Value> sums, Operands operands) {
  if (product.inParts())
    return multiplyInParts(f, a, b, sums, operands);
  device::MultiplyType type = product.dtype == DType::float16 ? device::MultiplyType::float16
                                                              : device::MultiplyType::bfloat16;
  SmallVector<Words> left(a), right(b);
  if (product.dtype == DType::float32 && product.precision == Precision::high) {
    type = device::MultiplyType::tf32;
    for (Words &words : left)
      words = roundedToTf32(f, words);
    for (Words &words : right)
      words = roundedToTf32(f, words);
  } else if (product.dtype == DType::float32) {
    for (Words &words : left)
      words = roundedToBfloat16(f, words, 4);
    for (Words &words : right)
      words = roundedToBfloat16(f, words, 2);
  }
  for (size_t step = 0; step < left[0].size() / 4; ++step)
    for (size_t m = 0; m < a.size(); ++m)
      for (size_t n = 0; n < b.size(); ++n) {
        MutableArrayRef<Value> sum = sums.slice((m * b.size() + n) * 4, 4);
        llvm::copy(device::multiply(f, type, ArrayRef(left[m]).slice(step * 4, 4),
                                    ArrayRef(right[n]).slice(step * 2, 2), sum),
                   sum.begin());
      }
}

} // namespace kiln::passes
