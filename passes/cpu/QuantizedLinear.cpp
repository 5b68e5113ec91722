#include "passes/cpu/QuantizedLinear.h"

#include "passes/cpu/Microkernel.h"
#include "passes/cpu/PackedBlocks.h"
#include "passes/cpu/VectorParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Encoding = QuantizationEncoding;

/// Rows that share the unpacking of quants, where the products cost little beside it.
constexpr int64_t tileOfOneWord = 4;

Value shiftLeft(FunctionEmitter &f, Value vector, int64_t count) {
  return arith::ShLIOp::create(f.b, vector,
                               emitSplatInteger(f, cast<VectorType>(vector.getType()), count));
}
Value toFloat(FunctionEmitter &f, Value vector) {
  return arith::SIToFPOp::create(f.b, cast<VectorType>(vector.getType()).clone(f.f32()), vector);
}

/// Groups that are multiplied at once: two where a register holds their quants.
int64_t groupsAtOnce(const CpuTarget &target, Encoding encoding) {
  bool isWide = target.vnni && target.vectorBytes == 64;
  return isWide && blockElements(encoding) > groupElements ? 2 : 1;
}

/// sum + products of unsigned bytes and signed ones, four to a lane, as vector<8xi32> (of two
/// groups: 16). Elements of a half of the vectors go to that half of the lanes, unless `largest` is
/// above 127.
Value dotBytes(FunctionEmitter &f, Value sum, Value quants, Value words, int64_t largest) {
  const CpuTarget &target = f.lowering.target;
  auto i16 = f.b.getI16Type();
  if (cast<VectorType>(quants.getType()).getNumElements() == 64)
    return f.intrinsic("llvm.x86.avx512.vpdpbusd.512", ints(f, 16), {sum, quants, words});
  if (target.vnni)
    return f.intrinsic("llvm.x86.avx512.vpdpbusd.256", ints(f, 8), {sum, quants, words});
  // Sums of two products of i16, in whole registers or halves.
  auto addPairs = [&](Value x, Value y) -> Value {
    if (target.vectorBytes >= 32)
      return f.intrinsic("llvm.x86.avx2.pmadd.wd", ints(f, 8), {x, y});
    auto half = [&](int64_t first) {
      return f.intrinsic("llvm.x86.sse2.pmadd.wd", ints(f, 4),
                         {emitPart(f, x, first, 8), emitPart(f, y, first, 8)});
    };
    return emitJoined(f, half(0), half(8));
  };
  if (2 * 128 * largest <= 32767) { // pairs do not saturate
    Value pairs;
    if (target.vectorBytes >= 32) {
      pairs = f.intrinsic("llvm.x86.avx2.pmadd.ub.sw", vectorOf(i16, 16), {quants, words});
    } else {
      auto half = [&](int64_t first) {
        return f.intrinsic("llvm.x86.ssse3.pmadd.ub.sw.128", vectorOf(i16, 8),
                           {emitPart(f, quants, first, 16), emitPart(f, words, first, 16)});
      };
      pairs = emitJoined(f, half(0), half(16));
    }
    Value ones = emitSplatInteger(f, vectorOf(i16, 16), 1);
    return arith::AddIOp::create(f.b, sum, addPairs(pairs, ones));
  }
  for (int64_t first : {0, 16}) {
    Value x = arith::ExtUIOp::create(f.b, vectorOf(i16, 16), emitPart(f, quants, first, 16));
    Value y = arith::ExtSIOp::create(f.b, vectorOf(i16, 16), emitPart(f, words, first, 16));
    sum = arith::AddIOp::create(f.b, sum, addPairs(x, y));
  }
  return sum;
}

/// `@name(packed, columns, x, c)`: columns of C for `tile` rows of x.
class QuantizedDots {
public:
  QuantizedDots(FunctionEmitter &f, Encoding encoding, const IntegerRows &form, int64_t tile)
      : f(f), encoding(encoding), form(form), tile(tile), groups(blockElements(encoding) / 32),
        scaleCount(PackedBlock::scalesPerBlock(encoding)),
        atOnce(groupsAtOnce(f.lowering.target, encoding)) {}

  void emit() {
    Value packed = f.function.getArgument(0), columns = f.function.getArgument(1);
    x = f.function.getArgument(2);
    Value c = f.function.getArgument(3);
    const int64_t rowBytes = packedRowBytes(encoding, form.columns);
    f.loop(f.constant(0), columns, f.constant(1), [&](Value column) {
      SmallVector<Value> sums = emitColumn(f.offsetBytes(packed, f.mul(column, rowBytes)));
      for (int64_t row = 0; row < tile; ++row)
        f.store(sums[row], f.offset(c, f.add(column, row * panelWidth(f.lowering.target)), 4));
    });
    f.finish();
  }

private:
  /// Values that a row of x carries from block to block: two sums that take turns, and the part of
  /// centers and mins.
  static constexpr int64_t carriedPerRow = 3;

  SmallVector<Value> emitColumn(Value packed) {
    Value zero = emitZeros(f, floats(f, 8 * atOnce));
    SmallVector<Value> sums;
    for (int64_t row = 0; row < tile; ++row)
      sums.append({zero, zero, emitZeros(f, floats(f, scaleCount))});
    Value blocks = f.constant(form.columns / blockElements(encoding));
    sums = f.fold(f.constant(0), blocks, f.constant(1), sums, [&](Value block, ValueRange carried) {
      return emitBlock(f.offsetBytes(packed, f.mul(block, blockBytes(encoding))), block, carried);
    });
    SmallVector<Value> totals;
    for (int64_t row = 0; row < tile; ++row) {
      ValueRange of = ValueRange(sums).slice(row * carriedPerRow, carriedPerRow);
      Value products = emitSumOf(f, arith::AddFOp::create(f.b, of[0], of[1]));
      totals.push_back(arith::SubFOp::create(f.b, products, emitSumOf(f, of[2])));
    }
    return totals;
  }

  SmallVector<Value> emitBlock(Value pointer, Value block, ValueRange carried) {
    // Ahead of what the CPU itself fetches: rows are short streams.
    constexpr int64_t ahead = 2048;
    for (int64_t line = 0; line < blockBytes(encoding); line += 64)
      LLVM::Prefetch::create(f.b, f.offsetBytes(pointer, f.constant(ahead + line)), /*rw=*/0,
                             /*hint=*/3, /*cache=*/1);
    PackedBlock packed(f, encoding, pointer);
    Value scales = packed.scales();
    // What multiplies the sum of x: the min, or the center of the quants.
    Value offsets = packed.mins();
    if (!offsets) {
      float center = static_cast<float>(PackedBlock::center(encoding));
      offsets = arith::MulFOp::create(f.b, scales,
                                      emitSplat(f, floats(f, scaleCount), f.constantF32(center)));
    }
    SmallVector<Value> next(carried);
    SmallVector<Value> ofRows;
    Value firstGroup = f.mul(block, groups);
    for (int64_t row = 0; row < tile; ++row) {
      Value base = f.offsetBytes(x, f.constant(row * form.bytes()));
      Value rowScales = f.load(floats(f, groups),
                               f.offsetBytes(base, f.add(f.mul(firstGroup, 4), form.scalesAt())));
      const bool isShort = scaleCount > groups;
      Value sumsAt = isShort ? f.add(f.mul(firstGroup, 8), form.shortSumsAt())
                             : f.add(f.mul(firstGroup, 4), form.sumsAt());
      Value rowSums = f.load(floats(f, scaleCount), f.offsetBytes(base, sumsAt));
      if (isShort) {
        SmallVector<int64_t> twice;
        for (int64_t group = 0; group < groups; ++group)
          twice.append(2, group);
        rowScales = emitShuffle(f, rowScales, rowScales, twice);
      }
      ofRows.push_back(arith::MulFOp::create(f.b, scales, rowScales));
      Value &minus = next[row * carriedPerRow + 2];
      minus = f.multiplyAdd(offsets, rowSums, minus);
    }
    for (int64_t group = 0; group < groups; group += atOnce) {
      Value quants = atOnce == 2 ? packed.quantsOfTwo(group) : packed.quants(group);
      for (int64_t row = 0; row < tile; ++row) {
        Value base = f.offsetBytes(x, f.constant(row * form.bytes()));
        Value words = groups > 1
                          ? f.offsetBytes(emitWordsOf(f, form, base, firstGroup),
                                          f.constant(group / 2 * 64 * form.words + group % 2 * 32))
                          : emitWordsOf(f, form, base, firstGroup);
        emitGroup(quants, words, laneScales(ofRows[row], group), next[row * carriedPerRow],
                  next[row * carriedPerRow + 1]);
      }
    }
    return next;
  }

  /// The scales of a group, one for each lane of its sums.
  Value laneScales(Value scales, int64_t group) {
    SmallVector<int64_t> lanes;
    for (int64_t lane = 0; lane < 8 * atOnce; ++lane)
      lanes.push_back((group * 32 + lane * 4) / PackedBlock::scaleElements(encoding));
    return emitShuffle(f, scales, scales, lanes);
  }

  /// Adds a group's products to `sum` and lets it take turns with `other`.
  void emitGroup(Value quants, Value words, Value scale, Value &sum, Value &other) {
    const int64_t largest = PackedBlock::largestQuant(encoding);
    auto bytes = cast<VectorType>(quants.getType());
    auto dot = [&](Value before, int64_t word) {
      return dotBytes(f, before, quants, f.load(bytes, f.offsetBytes(words, f.constant(64 * word))),
                      largest);
    };
    Value zero = emitZeros(f, ints(f, 8 * atOnce));
    Value total = dot(zero, 0);
    for (int64_t word = 1; word < form.words; ++word) {
      // Four products with numbers of 24 bits: quants of more than 6 bits do not fit in 32.
      if (word == 2 && largest > 63) {
        Value high = arith::MulFOp::create(f.b, scale,
                                           emitSplat(f, floats(f, 8 * atOnce), f.constantF32(256)));
        sum = f.multiplyAdd(toFloat(f, total), high, sum);
        total = dot(zero, word);
      } else {
        total = dot(shiftLeft(f, total, 8), word);
      }
    }
    sum = f.multiplyAdd(toFloat(f, total), scale, sum);
    std::swap(sum, other);
  }

  FunctionEmitter &f;
  Encoding encoding;
  IntegerRows form;
  int64_t tile, groups, scaleCount, atOnce;
  Value x;
};

} // namespace

void emitQuantizedProduct(FunctionEmitter &f, Encoding encoding, const IntegerRows &form,
                          const QuantizedOperands &weights, Value integerRows, Value rows,
                          Value c) {
  const int64_t width = panelWidth(f.lowering.target);
  const int64_t tile = form.words == 1 ? tileOfOneWord : 1;
  auto product = [&](int64_t count, Value row) {
    std::string name =
        ("dots." + std::string(kiln::name(encoding)) + "." + std::to_string(form.words) + "." +
         std::to_string(form.columns) + (form.sumsOf16 ? ".16." : ".") + std::to_string(count));
    if (!f.lowering.module.lookupSymbol(name)) {
      Type p = f.ptr();
      auto helper = FunctionEmitter::helper(f.lowering, f.b.getLoc(), name, {p, f.i64(), p, p});
      QuantizedDots(helper, encoding, form, count).emit();
    }
    f.call(name,
           {weights.packed, weights.columns, f.offsetBytes(integerRows, f.mul(row, form.bytes())),
            f.offset(c, f.mul(row, width), 4)});
  };
  Value whole = f.mul(f.div(rows, f.constant(tile)), tile);
  f.loop(f.constant(0), whole, f.constant(tile), [&](Value row) { product(tile, row); });
  if (tile > 1)
    f.loop(whole, rows, f.constant(1), [&](Value row) { product(1, row); });
}

} // namespace kiln::passes
