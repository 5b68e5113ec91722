#include "passes/gpu/MultiplyStep.h"

#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

device::MultiplyType multiplyType(DType dtype) {
  return dtype == DType::bfloat16  ? device::MultiplyType::bfloat16
         : dtype == DType::float16 ? device::MultiplyType::float16
                                   : device::MultiplyType::tf32;
}

/// A float32 (as i32) in two parts: its first 19 bits, and the rest. Of infinities the rest is 0,
/// and so is what the other's rest is multiplied by: an infinity by a rest of 0 would be NaN.
struct Parts {
  SmallVector<Value> high, finiteHigh, low;
};
Parts split(FunctionEmitter &f, ValueRange words) {
  Parts parts;
  Type i32 = f.b.getI32Type();
  Value mask = arith::ConstantIntOp::create(f.b, static_cast<int32_t>(0xffffe000), 32);
  Value infinity = f.constantF32(std::numeric_limits<float>::infinity());
  for (Value word : words) {
    Value high = arith::AndIOp::create(f.b, word, mask);
    Value number = arith::BitcastOp::create(f.b, f.f32(), word);
    Value rest = arith::SubFOp::create(f.b, number, arith::BitcastOp::create(f.b, f.f32(), high));
    Value isInfinite = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ,
                                             LLVM::FAbsOp::create(f.b, number), infinity);
    rest = arith::SelectOp::create(f.b, isInfinite, f.constantF32(0), rest);
    parts.high.push_back(high);
    Value zero = arith::ConstantIntOp::create(f.b, 0, 32);
    parts.finiteHigh.push_back(arith::SelectOp::create(f.b, isInfinite, zero, high));
    parts.low.push_back(arith::AndIOp::create(f.b, arith::BitcastOp::create(f.b, i32, rest), mask));
  }
  return parts;
}

} // namespace

void emitMultiplyStep(FunctionEmitter &f, DType dtype, ArrayRef<SmallVector<Value>> a,
                      ArrayRef<SmallVector<Value>> b, MutableArrayRef<Value> sums) {
  const device::MultiplyType type = multiplyType(dtype);
  const bool isSplit = type == device::MultiplyType::tf32;
  SmallVector<Parts> aParts, bParts;
  if (isSplit) {
    for (const auto &words : a)
      aParts.push_back(split(f, words));
    for (const auto &words : b)
      bParts.push_back(split(f, words));
  }
  Value zero = f.constantF32(0);
  for (size_t m = 0; m < a.size(); ++m)
    for (size_t n = 0; n < b.size(); ++n) {
      MutableArrayRef<Value> sum = sums.slice((m * b.size() + n) * 4, 4);
      if (!isSplit) {
        llvm::copy(device::multiply(f, type, a[m], b[n], sum), sum.begin());
        continue;
      }
      SmallVector<Value> step(4, zero);
      step = device::multiply(f, type, aParts[m].low, bParts[n].finiteHigh, step);
      step = device::multiply(f, type, aParts[m].finiteHigh, bParts[n].low, step);
      step = device::multiply(f, type, aParts[m].high, bParts[n].high, step);
      for (auto [total, part] : llvm::zip(sum, step))
        total = arith::AddFOp::create(f.b, total, part);
    }
}

} // namespace kiln::passes
