#include "passes/cpu/PackedBlocks.h"

#include "passes/cpu/ElementEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Encoding = QuantizationEncoding;

VectorType vectorOf(Type element, int64_t count) { return VectorType::get({count}, element); }
VectorType likeWith(Value vector, Type element) {
  return cast<VectorType>(vector.getType()).clone(element);
}

/// Where the parts of a block lie, in bytes; what it has not: 0.
struct Layout {
  int64_t scale, minScale, scales, highBits, quants;
};
template <class Block> constexpr Layout layoutOf() {
  Layout layout{Block::scale, 0, 0, 0, Block::quants};
  if constexpr (requires { Block::minScale; })
    layout.minScale = Block::minScale;
  if constexpr (requires { Block::scales; })
    layout.scales = Block::scales;
  if constexpr (requires { Block::highBits; })
    layout.highBits = Block::highBits;
  return layout;
}
Layout layoutOf(Encoding encoding) {
  switch (encoding) {
  case Encoding::Q4_0:
    return layoutOf<blocks::Q4_0>();
  case Encoding::Q8_0:
    return layoutOf<blocks::Q8_0>();
  case Encoding::Q4_K:
    return layoutOf<blocks::Q4_K>();
  case Encoding::Q5_K:
    return layoutOf<blocks::Q5_K>();
  case Encoding::Q6_K:
    return layoutOf<blocks::Q6_K>();
  }
  llvm_unreachable("all encodings are above");
}

} // namespace

Value emitShuffle(FunctionEmitter &f, Value x, Value y, ArrayRef<int64_t> mask) {
  return vector::ShuffleOp::create(f.b, x, y, mask);
}

Value emitSplatInteger(FunctionEmitter &f, VectorType type, int64_t value) {
  auto width = type.getElementTypeBitWidth();
  return arith::ConstantOp::create(
      f.b, DenseElementsAttr::get(type, APInt(width, static_cast<uint64_t>(value),
                                              /*isSigned=*/false, /*implicitTrunc=*/true)));
}

int64_t PackedBlock::scaleElements(Encoding encoding) {
  return encoding == Encoding::Q6_K ? 16 : 32;
}

bool PackedBlock::hasMins(Encoding encoding) {
  return encoding == Encoding::Q4_K || encoding == Encoding::Q5_K;
}

int64_t PackedBlock::center(Encoding encoding) {
  switch (encoding) {
  case Encoding::Q4_0:
    return 8;
  case Encoding::Q8_0:
    return 128;
  case Encoding::Q6_K:
    return 32;
  case Encoding::Q4_K:
  case Encoding::Q5_K:
    return 0;
  }
  llvm_unreachable("all encodings are above");
}

int64_t PackedBlock::largestQuant(Encoding encoding) {
  switch (encoding) {
  case Encoding::Q4_0:
  case Encoding::Q4_K:
    return 15;
  case Encoding::Q5_K:
    return 31;
  case Encoding::Q6_K:
    return 63;
  case Encoding::Q8_0:
    return 255;
  }
  llvm_unreachable("all encodings are above");
}

Value PackedBlock::half(int64_t offset) {
  Value stored = f.load(storageType(f, DType::float16), at(offset));
  return loadConvert(f, stored, DType::float16);
}

Value PackedBlock::bytes(int64_t offset, int64_t count) {
  return f.load(vectorOf(f.b.getI8Type(), count), at(offset));
}

Value PackedBlock::sixBits(bool ofMins) {
  const Layout layout = layoutOf(encoding);
  Type i32 = f.b.getI32Type();
  auto word = [&](int64_t index) { return f.load(i32, at(layout.scales + 4 * index)); };
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(f.b, i32, value);
  };
  auto both = [&](Value x, int64_t mask) -> Value {
    return arith::AndIOp::create(f.b, x, constant(mask));
  };
  auto shift = [&](Value x, int64_t count) -> Value {
    return arith::ShRUIOp::create(f.b, x, constant(count));
  };
  // Four numbers in each word: the low two bits of a byte's high end are bits 4 and 5 of another.
  Value own = word(ofMins ? 1 : 0), shared = word(2);
  Value first = both(own, 0x3f3f3f3f);
  Value low = both(ofMins ? shift(shared, 4) : shared, 0x0f0f0f0f);
  Value second = arith::OrIOp::create(f.b, low, both(shift(own, 2), 0x30303030));
  Value wide = arith::OrIOp::create(
      f.b, arith::ExtUIOp::create(f.b, f.i64(), first),
      arith::ShLIOp::create(f.b, arith::ExtUIOp::create(f.b, f.i64(), second), f.constant(32)));
  Value eight = LLVM::BitcastOp::create(f.b, vectorOf(f.b.getI8Type(), 8), wide);
  Value numbers = arith::ExtUIOp::create(f.b, vectorOf(i32, 8), eight);
  return arith::SIToFPOp::create(f.b, vectorOf(f.f32(), 8), numbers);
}

Value PackedBlock::scales() {
  const Layout layout = layoutOf(encoding);
  const int64_t count = scalesPerBlock(encoding);
  auto type = vectorOf(f.f32(), count);
  Value scale = vector::BroadcastOp::create(f.b, type, half(layout.scale));
  if (hasMins(encoding))
    return arith::MulFOp::create(f.b, scale, sixBits(/*ofMins=*/false));
  if (encoding != Encoding::Q6_K)
    return scale;
  Value numbers = arith::SIToFPOp::create(
      f.b, type,
      arith::ExtSIOp::create(f.b, vectorOf(f.b.getI32Type(), count), bytes(layout.scales, count)));
  return arith::MulFOp::create(f.b, scale, numbers);
}

Value PackedBlock::mins() {
  if (!hasMins(encoding))
    return {};
  Value scale =
      vector::BroadcastOp::create(f.b, vectorOf(f.f32(), 8), half(layoutOf(encoding).minScale));
  return arith::MulFOp::create(f.b, scale, sixBits(/*ofMins=*/true));
}

Value PackedBlock::field(Value bits, int64_t mask, int64_t shift) {
  auto type = cast<VectorType>(bits.getType());
  Value kept = arith::AndIOp::create(f.b, bits, emitSplatInteger(f, type, mask));
  if (shift > 0)
    return arith::ShLIOp::create(f.b, kept, emitSplatInteger(f, type, shift));
  if (shift < 0)
    return arith::ShRUIOp::create(f.b, kept, emitSplatInteger(f, type, -shift));
  return kept;
}

Value PackedBlock::nibble(Value quants, bool high) {
  return high ? field(quants, 0xf0, -4) : field(quants, 0x0f, 0);
}

Value PackedBlock::quants(int64_t group) {
  const Layout layout = layoutOf(encoding);
  switch (encoding) {
  case Encoding::Q4_0: {
    Value packed = bytes(layout.quants, 16);
    SmallVector<int64_t> all(32);
    std::iota(all.begin(), all.end(), 0);
    return emitShuffle(f, nibble(packed, false), nibble(packed, true), all);
  }
  case Encoding::Q8_0: {
    Value packed = bytes(layout.quants);
    return arith::XOrIOp::create(f.b, packed,
                                 emitSplatInteger(f, cast<VectorType>(packed.getType()), 0x80));
  }
  case Encoding::Q4_K:
    return nibble(bytes(layout.quants + 32 * (group / 2)), group % 2);
  case Encoding::Q5_K: {
    Value low = nibble(bytes(layout.quants + 32 * (group / 2)), group % 2);
    Value high = field(bytes(layout.highBits), int64_t(1) << group, 4 - group);
    return arith::OrIOp::create(f.b, low, high);
  }
  case Encoding::Q6_K: {
    const int64_t h = group / 4, k = group % 4;
    Value low = nibble(bytes(layout.quants + 64 * h + 32 * (k % 2)), k >= 2);
    Value high = field(bytes(layout.highBits + 32 * h), int64_t(3) << (2 * k), 4 - 2 * k);
    return arith::OrIOp::create(f.b, low, high);
  }
  }
  llvm_unreachable("all encodings are above");
}

Value PackedBlock::twice(Value bits, int64_t first, int64_t second, int64_t mask) {
  SmallVector<int64_t> both;
  for (int64_t i = 0; i < 64; ++i)
    both.push_back(i % 32);
  Value bytes = emitShuffle(f, bits, bits, both);
  // As words: what crosses a byte is not in the mask.
  auto words = vectorOf(f.b.getI16Type(), 32);
  SmallVector<int16_t> counts(16, std::abs(first));
  counts.append(16, std::abs(second));
  Value count = arith::ConstantOp::create(f.b, DenseElementsAttr::get(words, ArrayRef(counts)));
  Value moved = LLVM::BitcastOp::create(f.b, words, bytes);
  if (first < 0 || second < 0)
    moved = arith::ShRUIOp::create(f.b, moved, count);
  else
    moved = arith::ShLIOp::create(f.b, moved, count);
  Value result = LLVM::BitcastOp::create(f.b, bytes.getType(), moved);
  return field(result, mask, 0);
}

Value PackedBlock::quantsOfTwo(int64_t group) {
  const Layout layout = layoutOf(encoding);
  switch (encoding) {
  case Encoding::Q4_K:
    return twice(bytes(layout.quants + 16 * group), 0, -4, 0x0f);
  case Encoding::Q5_K: {
    Value low = twice(bytes(layout.quants + 16 * group), 0, -4, 0x0f);
    Value high = twice(bytes(layout.highBits), 4 - group, 3 - group, 0x10);
    return arith::OrIOp::create(f.b, low, high);
  }
  case Encoding::Q6_K: {
    const int64_t h = group / 4, k = group % 4;
    Value low = nibble(bytes(layout.quants + 64 * h, 64), k >= 2);
    Value high = twice(bytes(layout.highBits + 32 * h), 4 - 2 * k, 2 - 2 * k, 0x30);
    return arith::OrIOp::create(f.b, low, high);
  }
  case Encoding::Q4_0:
  case Encoding::Q8_0:
    break;
  }
  llvm_unreachable("blocks of one group");
}

Value PackedBlock::values(Value scales, Value mins, int64_t group, int64_t first) {
  const int64_t lanes = f.lanes();
  SmallVector<int64_t> part(lanes);
  std::iota(part.begin(), part.end(), first);
  Value q = quants(group);
  q = emitShuffle(f, q, q, part);
  Value number = arith::ExtUIOp::create(f.b, likeWith(q, f.b.getI32Type()), q);
  if (int64_t middle = center(encoding))
    number = arith::SubIOp::create(f.b, number,
                                   emitSplatInteger(f, cast<VectorType>(number.getType()), middle));
  Value value = arith::SIToFPOp::create(f.b, f.vec(f.f32()), number);
  const SmallVector<int64_t> same(lanes, (group * groupElements + first) / scaleElements(encoding));
  value = arith::MulFOp::create(f.b, emitShuffle(f, scales, scales, same), value);
  if (mins)
    value = arith::SubFOp::create(f.b, value, emitShuffle(f, mins, mins, same));
  return value;
}

} // namespace kiln::passes
