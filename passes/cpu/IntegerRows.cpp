#include "passes/cpu/IntegerRows.h"

#include "passes/cpu/Microkernel.h"
#include "passes/cpu/PackedBlocks.h"
#include "passes/cpu/VectorMath.h"
#include "passes/cpu/VectorParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Largest number that three signed bytes hold, less some room for rounding; of one byte.
constexpr float largestOfThree = 8355000, largestOfOne = 127;
/// Between these the scales, and what is multiplied with them, are normal numbers: 2^-90, 2^90.
constexpr uint32_t leastBits = 0x12800000, mostBits = 0x6c800000;

/// `@name(a, blockStride in bytes, target, ok)` for one row: clears the i64 at `ok` where a number
/// cannot be held.
void emitIntegerRow(FunctionEmitter &caller, StringRef name, const IntegerRows &form) {
  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, {p, i, p, p});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value a = argument(0), blockStride = argument(1), target = argument(2), ok = argument(3);
  const float largest = form.words == 1 ? largestOfOne : largestOfThree;
  auto word = ints(f, 32);
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(f.b, f.b.getI32Type(), value);
  };
  auto at = [&](int64_t start, Value index, int64_t bytes) {
    return f.offsetBytes(target, f.add(f.mul(index, bytes), start));
  };
  f.loop(f.constant(0), f.constant(form.groups()), f.constant(1), [&](Value group) {
    constexpr int64_t perBlock = productBlock / 32;
    Value block = f.div(group, f.constant(perBlock)), inBlock = f.rem(group, f.constant(perBlock));
    Value from = f.offsetBytes(a, f.add(f.mul(block, blockStride), f.mul(inBlock, 32 * 4)));
    Value x = f.load(floats(f, 32), from);
    Value bits = arith::AndIOp::create(f.b, arith::BitcastOp::create(f.b, word, x),
                                       emitSplatInteger(f, word, 0x7fffffff));
    Value most = vector::ReductionOp::create(f.b, vector::CombiningKind::MAXUI, bits);
    Value isZero = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, most, integer(0));
    Value inRange = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult,
                                          arith::SubIOp::create(f.b, most, integer(leastBits)),
                                          integer(mostBits - leastBits));
    Value fits = arith::OrIOp::create(f.b, isZero, inRange);
    Value fitsToo =
        arith::AndIOp::create(f.b, f.load(f.i64(), ok), arith::ExtUIOp::create(f.b, f.i64(), fits));
    f.store(fitsToo, ok);
    // What does not fit becomes zeros, which nobody reads.
    Value magnitude = arith::BitcastOp::create(f.b, f.f32(), most);
    Value inverse = arith::DivFOp::create(f.b, f.constantF32(largest), magnitude);
    inverse = arith::SelectOp::create(f.b, inRange, inverse, f.constantF32(0));
    x = arith::SelectOp::create(f.b, emitSplat(f, vectorOf(f.b.getI1Type(), 32), inRange), x,
                                emitZeros(f, floats(f, 32)));
    Value scaled = arith::MulFOp::create(f.b, x, emitSplat(f, floats(f, 32), inverse));
    Value number =
        arith::FPToSIOp::create(f.b, word, emitRoundEven(f.b, scaled, {f.lowering.target.fma}));

    Value scale = arith::MulFOp::create(f.b, magnitude, f.constantF32(1 / largest));
    f.store(scale, at(form.scalesAt(), group, 4));
    auto sum = [&](Value numbers) -> Value {
      Value total = vector::ReductionOp::create(f.b, vector::CombiningKind::ADD, numbers);
      return arith::MulFOp::create(f.b, arith::SIToFPOp::create(f.b, f.f32(), total), scale);
    };
    f.store(sum(number), at(form.sumsAt(), group, 4));
    if (form.sumsOf16)
      for (int64_t half = 0; half < 2; ++half)
        f.store(sum(emitPart(f, number, 16 * half, 16)),
                at(form.shortSumsAt() + 4 * half, group, 8));
    // The last word first: the bytes of a number with each one signed.
    Value rest = number;
    for (int64_t i = form.words; i-- > 0;) {
      f.store(arith::TruncIOp::create(f.b, vectorOf(f.b.getI8Type(), 32), rest),
              f.offsetBytes(emitWordsOf(f, form, target, group), f.constant(64 * i)));
      if (i == 0)
        break;
      rest = arith::AddIOp::create(f.b, rest, emitSplatInteger(f, word, 128));
      rest = arith::ShRSIOp::create(f.b, rest, emitSplatInteger(f, word, 8));
    }
  });
  f.finish();
}

} // namespace

Value emitWordsOf(FunctionEmitter &f, const IntegerRows &form, Value row, Value group) {
  Value two = f.div(group, f.constant(2)), second = f.rem(group, f.constant(2));
  return f.offsetBytes(row, f.add(f.mul(two, 64 * form.words), f.mul(second, 32)));
}

Value emitIntegerRows(FunctionEmitter &f, const IntegerRows &form, Value a, int64_t blockStride,
                      Value rows, Value target) {
  std::string name =
      ("integers." + Twine(form.words) + "." + Twine(form.columns) + (form.sumsOf16 ? ".16" : ""))
          .str();
  if (!f.lowering.module.lookupSymbol(name))
    emitIntegerRow(f, name, form);
  Value ok = f.stackArray(f.i64(), 1);
  f.store(f.constant(1), ok);
  f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
    f.call(name, {f.offset(a, f.mul(row, rowStride), 4), f.constant(blockStride * 4),
                  f.offsetBytes(target, f.mul(row, form.bytes())), ok});
  });
  return f.equal(f.load(f.i64(), ok), f.constant(1));
}

} // namespace kiln::passes
