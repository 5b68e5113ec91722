// Packed blocks (kiln/Quantization.h), decoded in registers where their elements are read.
#include "kiln/Quantization.h"
#include "passes/cpu/ElementEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Elements whose quants all encodings keep in the same bits of bytes that follow each other.
/// Those of Q4_0 do so for half of them, and Q6_K has a scale for each half.
constexpr int64_t unitElements = dequantizeUnit, halfElements = unitElements / 2;

/// A column as what is known of it: a value and a number.
struct Column {
  Value base;
  int64_t rest = 0;

  /// x + 1 + 2 as x and 3.
  explicit Column(Value value) : base(value) {
    while (auto sum = base.getDefiningOp<arith::AddIOp>()) {
      std::optional<int64_t> number = getConstantIntValue(sum.getRhs());
      if (!number || *number < 0)
        return;
      rest += *number;
      base = sum.getLhs();
    }
  }
};

/// Whether it can be told from how a value is computed that it is a multiple of n.
bool isMultiple(Value value, int64_t n) {
  if (std::optional<int64_t> number = getConstantIntValue(value))
    return *number % n == 0;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && argument == loop.getInductionVar() && isMultiple(loop.getLowerBound(), n) &&
           isMultiple(loop.getStep(), n);
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  auto operandIs = [&](unsigned i) { return isMultiple(op->getOperand(i), n); };
  if (isa<arith::AddIOp, arith::SubIOp, arith::RemUIOp>(op))
    return operandIs(0) && operandIs(1);
  return isa<arith::MulIOp>(op) && (operandIs(0) || operandIs(1));
}

/// Decodes one element, or as many as there are lanes: in different rows of one column, or next to
/// each other in one unit, of which they are an aligned part.
class Decoder {
public:
  Decoder(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at)
      : elements(elements), f(f), packed(op->getOperand(0)), result(op->getResult(0)), at(at),
        uniform(at), column(at.index.back()) {
    encoding =
        *parseQuantizationEncoding(op->getAttrOfType<StringAttr>("encoding").getValue().str());
    isRun = at.laneAxis == static_cast<int64_t>(at.index.size()) - 1;
    if (isRun) { // its scales are those of one element
      uniform.laneAxis = -1;
      uniform.laneStep = 1;
      uniform.mask = {}; // the first lane counts, so the others are in the row as well
    }
    const int64_t elementsOfBlock = blockElements(encoding);
    start = f.mul(quotient(elementsOfBlock), blockBytes(encoding));
    unit = isMultiple(column.base, elementsOfBlock)
               ? f.constant(column.rest % elementsOfBlock / unitElements)
               : f.rem(quotient(unitElements), f.constant(elementsOfBlock / unitElements));
    place = remainder(unitElements);
  }

  Value emit() {
    switch (encoding) {
    case QuantizationEncoding::Q4_0:
      return emitQ4_0();
    case QuantizationEncoding::Q8_0:
      return emitQ8_0();
    case QuantizationEncoding::Q4_K:
      return emitWithMins(blocks::Q4_K::scales, blocks::Q4_K::quants, /*highBits=*/0);
    case QuantizationEncoding::Q5_K:
      return emitWithMins(blocks::Q5_K::scales, blocks::Q5_K::quants, blocks::Q5_K::highBits);
    case QuantizationEncoding::Q6_K:
      return emitQ6_K();
    }
    llvm_unreachable("an encoding without a decoder");
  }

private:
  Value quotient(int64_t n) {
    if (!isMultiple(column.base, n))
      return f.div(at.index.back(), f.constant(n));
    return f.add(f.div(column.base, f.constant(n)), column.rest / n);
  }
  Value remainder(int64_t n) {
    if (!isMultiple(column.base, n))
      return f.rem(at.index.back(), f.constant(n));
    return f.constant(column.rest % n);
  }

  // 32-bit integers, scalars or vectors.
  Value like(Value scalar, Value shaped) {
    return isa<VectorType>(shaped.getType()) && !isa<VectorType>(scalar.getType()) ? f.splat(scalar)
                                                                                   : scalar;
  }
  Value number(Value x, int64_t value) {
    return like(arith::ConstantIntOp::create(f.b, value, 32), x);
  }
  Value mask(Value x, int64_t bits) { return arith::AndIOp::create(f.b, x, number(x, bits)); }
  Value either(Value x, Value y) { return arith::OrIOp::create(f.b, x, y); }
  Value left(Value x, int64_t bits) { return arith::ShLIOp::create(f.b, x, number(x, bits)); }
  Value right(Value x, int64_t bits) { return arith::ShRUIOp::create(f.b, x, number(x, bits)); }
  /// By a count (i64) that is the same for all lanes.
  Value right(Value x, Value bits) {
    Value narrow = f.b.createOrFold<arith::TruncIOp>(f.b.getI32Type(), bits);
    return arith::ShRUIOp::create(f.b, x, like(narrow, x));
  }
  Type typeLike(Type element, Value x) {
    return isa<VectorType>(x.getType()) ? Type(f.vec(element)) : element;
  }
  Value toFloat(Value x) { return arith::SIToFPOp::create(f.b, typeLike(f.f32(), x), x); }
  Value times(Value x, Value y) { return arith::MulFOp::create(f.b, x, like(y, x)); }

  Value widen(Value bytes, bool isSigned) {
    Type type = typeLike(f.b.getI32Type(), bytes);
    if (isSigned)
      return arith::ExtSIOp::create(f.b, type, bytes);
    return arith::ExtUIOp::create(f.b, type, bytes);
  }
  /// The byte at an offset in the block: of scales, the same for all lanes of a run.
  Value byteAt(Value offset, bool isSigned = false) {
    Coords where = uniform;
    where.index.back() = f.add(start, offset);
    return widen(elements.emit(packed, where), isSigned);
  }
  /// The bytes of the lanes' quants: of a run, those from the offset on.
  Value quantsAt(Value offset, bool isSigned = false) {
    Coords where = at;
    where.mask = uniform.mask;
    where.index.back() = f.add(start, offset);
    return widen(elements.emit(packed, where), isSigned);
  }
  /// A half of the block.
  Value halfAt(int64_t offset) {
    return shared(static_cast<unsigned>(offset) + firstOfBlock, blockElements(encoding),
                  [&] { return loadHalf(offset); });
  }
  Value loadHalf(int64_t offset) {
    Value low = byteAt(f.constant(offset)), high = byteAt(f.constant(offset + 1));
    Value bits = either(low, left(high, 8));
    Value half = arith::TruncIOp::create(f.b, typeLike(f.b.getI16Type(), bits), bits);
    return loadConvert(f, half, DType::float16);
  }

  /// What so many elements from a multiple of them on share, computed once in unrolled code. `kind`
  /// tells values from each other that belong to the same elements.
  Value shared(unsigned kind, int64_t count, llvm::function_ref<Value()> make) {
    Coords key = uniform;
    int64_t rest = column.rest;
    if (isMultiple(column.base, count))
      rest -= rest % count;
    key.index.back() = column.base;
    return elements.emitOnce(result, static_cast<unsigned>(rest) * numKinds + kind + 1, key, make);
  }
  /// Kinds: of halves of the block their offset in it behind that.
  static constexpr unsigned stepOfUnit = 0, minOfUnit = 1, firstOfBlock = 2, numKinds = 512;

  Value emitQ4_0() {
    Value scale = halfAt(blocks::Q4_0::scale);
    Value inHalf = remainder(halfElements);
    Value half = f.div(place, f.constant(halfElements));
    Value bytes = quantsAt(f.add(inHalf, blocks::Q4_0::quants));
    Value quants = mask(right(bytes, f.mul(half, 4)), 15);
    return times(toFloat(arith::SubIOp::create(f.b, quants, number(quants, 8))), scale);
  }

  Value emitQ8_0() {
    Value scale = halfAt(blocks::Q8_0::scale);
    return times(toFloat(quantsAt(f.add(place, blocks::Q8_0::quants), /*isSigned=*/true)), scale);
  }

  /// Q4_K and Q5_K.
  Value emitWithMins(int64_t scales, int64_t quants, int64_t highBits) {
    static_assert(blocks::Q4_K::scale == blocks::Q5_K::scale &&
                  blocks::Q4_K::minScale == blocks::Q5_K::minScale);
    Value step = shared(stepOfUnit, unitElements, [&] {
      return times(toFloat(sixBits(scales, /*isMin=*/false)), halfAt(blocks::Q4_K::scale));
    });
    Value min = shared(minOfUnit, unitElements, [&] {
      return times(toFloat(sixBits(scales, /*isMin=*/true)), halfAt(blocks::Q4_K::minScale));
    });
    Value pair = f.div(unit, f.constant(2)), isOdd = f.rem(unit, f.constant(2));
    Value bytes = quantsAt(f.add(f.add(f.mul(pair, 32), place), quants));
    Value q = mask(right(bytes, f.mul(isOdd, 4)), 15);
    if (highBits) {
      Value high = right(quantsAt(f.add(place, highBits)), unit);
      q = either(q, left(mask(high, 1), 4));
    }
    Value product = times(toFloat(q), step);
    return arith::SubFOp::create(f.b, product, like(min, product));
  }

  /// The scale of the unit, or its minimum, a number of 6 bits. Those of units 4 to 7 stand in a
  /// nibble of the last bytes and in the two bits that the first bytes have left.
  Value sixBits(int64_t scales, bool isMin) {
    Value four = f.constant(4);
    Value first = f.add(f.rem(unit, four), scales + (isMin ? 4 : 0));
    Value last = f.add(f.rem(unit, four), scales + 8);
    Value own = byteAt(first), nibbles = byteAt(last);
    Value low = mask(own, 63);
    Value nibble = isMin ? right(nibbles, 4) : mask(nibbles, 15);
    Value high = either(nibble, left(right(own, 6), 4));
    return arith::SelectOp::create(f.b, f.lessThan(unit, four), low, high);
  }

  Value emitQ6_K() {
    using B = blocks::Q6_K;
    Value step = shared(stepOfUnit, halfElements, [&] {
      Value half = f.div(place, f.constant(halfElements));
      Value sub = byteAt(f.add(f.add(f.mul(unit, 2), half), B::scales), /*isSigned=*/true);
      return times(toFloat(sub), halfAt(B::scale));
    });
    Value h = f.div(unit, f.constant(4)), k = f.rem(unit, f.constant(4));
    Value odd = f.rem(k, f.constant(2)), upper = f.div(k, f.constant(2));
    Value inQuants = f.add(f.add(f.mul(h, 64), f.mul(odd, 32)), place);
    Value nibble = mask(right(quantsAt(f.add(inQuants, B::quants)), f.mul(upper, 4)), 15);
    Value inHighBits = f.add(f.mul(h, 32), place);
    Value pair = mask(right(quantsAt(f.add(inHighBits, B::highBits)), f.mul(k, 2)), 3);
    Value q = either(nibble, left(pair, 4));
    return times(toFloat(arith::SubIOp::create(f.b, q, number(q, 32))), step);
  }

  ElementEmitter &elements;
  FunctionEmitter &f;
  Value packed, result;
  const Coords &at;
  Coords uniform; // where what all lanes share is read
  Column column;
  QuantizationEncoding encoding;
  bool isRun;  // lanes lie next to each other in the row
  Value start; // of the block in the row, in bytes
  Value unit;  // of the block
  Value place; // of the element, or the first, in the unit
};

} // namespace

Value emitDequantize(ElementEmitter &elements, FunctionEmitter &f, Operation *op,
                     const Coords &at) {
  bool isRun = at.laneAxis == static_cast<int64_t>(at.index.size()) - 1;
  // Vectors that may go across units are rare: behind slices that begin anywhere, and steps.
  if (isRun && (at.laneStep != 1 || !isMultiple(at.index.back(), f.lanes())))
    return emitLanes(f, op->getResult(0), at,
                     [&](const Coords &one) { return emitDequantize(elements, f, op, one); });
  return Decoder(elements, f, op, at).emit();
}

} // namespace kiln::passes
