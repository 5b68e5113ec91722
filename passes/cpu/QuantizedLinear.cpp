#include "passes/cpu/QuantizedLinear.h"

#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/PackedBlocks.h"
#include "passes/cpu/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

using Encoding = QuantizationEncoding;

/// Largest number that three signed bytes hold, less some room for rounding; of one byte.
constexpr float largestOfThree = 8355000, largestOfOne = 127;
/// Between these the scales, and what is multiplied with them, are normal numbers: 2^-90, 2^90.
constexpr uint32_t leastBits = 0x12800000, mostBits = 0x6c800000;
/// Elements between the rows that are decoded before they are turned: a block and a cache line.
constexpr int64_t decodedStride = productBlock + 16;
/// Rows that share the unpacking of quants, where the products cost little beside it.
constexpr int64_t tileOfOneWord = 4;

VectorType vectorOf(Type element, int64_t count) { return VectorType::get({count}, element); }
VectorType floats(FunctionEmitter &f, int64_t count) { return vectorOf(f.f32(), count); }
VectorType ints(FunctionEmitter &f, int64_t count) { return vectorOf(f.b.getI32Type(), count); }

SmallVector<int64_t> range(int64_t first, int64_t count) {
  SmallVector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), first);
  return indices;
}
Value part(FunctionEmitter &f, Value vector, int64_t first, int64_t count) {
  return emitShuffle(f, vector, vector, range(first, count));
}
Value joined(FunctionEmitter &f, Value x, Value y) {
  int64_t count = cast<VectorType>(x.getType()).getNumElements();
  return emitShuffle(f, x, y, range(0, 2 * count));
}
Value zeros(FunctionEmitter &f, Type type) {
  return arith::ConstantOp::create(f.b, f.b.getZeroAttr(type));
}
Value splatOf(FunctionEmitter &f, VectorType type, Value scalar) {
  return vector::BroadcastOp::create(f.b, type, scalar);
}
Value shiftLeft(FunctionEmitter &f, Value vector, int64_t count) {
  return arith::ShLIOp::create(f.b, vector,
                               emitSplatInteger(f, cast<VectorType>(vector.getType()), count));
}
Value toFloat(FunctionEmitter &f, Value vector) {
  return arith::SIToFPOp::create(f.b, cast<VectorType>(vector.getType()).clone(f.f32()), vector);
}

/// The sum of a vector's elements, by halves.
Value sumOf(FunctionEmitter &f, Value vector) {
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  for (; count > 1; count /= 2)
    vector = arith::AddFOp::create(f.b, part(f, vector, 0, count / 2),
                                   part(f, vector, count / 2, count / 2));
  return vector::ExtractOp::create(f.b, vector, 0);
}

void call(FunctionEmitter &f, StringRef name, ValueRange operands) {
  LLVM::CallOp::create(f.b, TypeRange{}, name, operands);
}
Value intrinsic(FunctionEmitter &f, StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(f.b, result, f.b.getStringAttr(name), operands).getResult(0);
}

/// Groups that are multiplied at once: two where a register holds their quants.
int64_t groupsAtOnce(const CpuTarget &target, Encoding encoding) {
  bool isWide = target.vnni && target.vectorBytes == 64;
  return isWide && blockElements(encoding) > groupElements ? 2 : 1;
}

/// The words of a group of x.
Value wordsOf(FunctionEmitter &f, const IntegerRows &form, Value row, Value group) {
  Value two = f.div(group, f.constant(2)), second = f.rem(group, f.constant(2));
  return f.offsetBytes(row, f.add(f.mul(two, 64 * form.words), f.mul(second, 32)));
}

/// sum + products of unsigned bytes and signed ones, four to a lane, as vector<8xi32> (of two
/// groups: 16). Elements of a half of the vectors go to that half of the lanes, unless `largest` is
/// above 127.
Value dotBytes(FunctionEmitter &f, Value sum, Value quants, Value words, int64_t largest) {
  const CpuTarget &target = f.lowering.target;
  auto i16 = f.b.getI16Type();
  if (cast<VectorType>(quants.getType()).getNumElements() == 64)
    return intrinsic(f, "llvm.x86.avx512.vpdpbusd.512", ints(f, 16), {sum, quants, words});
  if (target.vnni)
    return intrinsic(f, "llvm.x86.avx512.vpdpbusd.256", ints(f, 8), {sum, quants, words});
  // Sums of two products of i16, in whole registers or halves.
  auto addPairs = [&](Value x, Value y) -> Value {
    if (target.vectorBytes >= 32)
      return intrinsic(f, "llvm.x86.avx2.pmadd.wd", ints(f, 8), {x, y});
    auto half = [&](int64_t first) {
      return intrinsic(f, "llvm.x86.sse2.pmadd.wd", ints(f, 4),
                       {part(f, x, first, 8), part(f, y, first, 8)});
    };
    return joined(f, half(0), half(8));
  };
  if (2 * 128 * largest <= 32767) { // pairs do not saturate
    Value pairs;
    if (target.vectorBytes >= 32) {
      pairs = intrinsic(f, "llvm.x86.avx2.pmadd.ub.sw", vectorOf(i16, 16), {quants, words});
    } else {
      auto half = [&](int64_t first) {
        return intrinsic(f, "llvm.x86.ssse3.pmadd.ub.sw.128", vectorOf(i16, 8),
                         {part(f, quants, first, 16), part(f, words, first, 16)});
      };
      pairs = joined(f, half(0), half(16));
    }
    Value ones = emitSplatInteger(f, vectorOf(i16, 16), 1);
    return arith::AddIOp::create(f.b, sum, addPairs(pairs, ones));
  }
  for (int64_t first : {0, 16}) {
    Value x = arith::ExtUIOp::create(f.b, vectorOf(i16, 16), part(f, quants, first, 16));
    Value y = arith::ExtSIOp::create(f.b, vectorOf(i16, 16), part(f, words, first, 16));
    sum = arith::AddIOp::create(f.b, sum, addPairs(x, y));
  }
  return sum;
}

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
    x = arith::SelectOp::create(f.b, splatOf(f, vectorOf(f.b.getI1Type(), 32), inRange), x,
                                zeros(f, floats(f, 32)));
    Value scaled = arith::MulFOp::create(f.b, x, splatOf(f, floats(f, 32), inverse));
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
        f.store(sum(part(f, number, 16 * half, 16)), at(form.shortSumsAt() + 4 * half, group, 8));
    // The last word first: the bytes of a number with each one signed.
    Value rest = number;
    for (int64_t i = form.words; i-- > 0;) {
      f.store(arith::TruncIOp::create(f.b, vectorOf(f.b.getI8Type(), 32), rest),
              f.offsetBytes(wordsOf(f, form, target, group), f.constant(64 * i)));
      if (i == 0)
        break;
      rest = arith::AddIOp::create(f.b, rest, emitSplatInteger(f, word, 128));
      rest = arith::ShRSIOp::create(f.b, rest, emitSplatInteger(f, word, 8));
    }
  });
  f.finish();
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
    Value zero = zeros(f, floats(f, 8 * atOnce));
    SmallVector<Value> sums;
    for (int64_t row = 0; row < tile; ++row)
      sums.append({zero, zero, zeros(f, floats(f, scaleCount))});
    Value blocks = f.constant(form.columns / blockElements(encoding));
    sums = f.fold(f.constant(0), blocks, f.constant(1), sums, [&](Value block, ValueRange carried) {
      return emitBlock(f.offsetBytes(packed, f.mul(block, blockBytes(encoding))), block, carried);
    });
    SmallVector<Value> totals;
    for (int64_t row = 0; row < tile; ++row) {
      ValueRange of = ValueRange(sums).slice(row * carriedPerRow, carriedPerRow);
      Value products = sumOf(f, arith::AddFOp::create(f.b, of[0], of[1]));
      totals.push_back(arith::SubFOp::create(f.b, products, sumOf(f, of[2])));
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
                                      splatOf(f, floats(f, scaleCount), f.constantF32(center)));
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
                          ? f.offsetBytes(wordsOf(f, form, base, firstGroup),
                                          f.constant(group / 2 * 64 * form.words + group % 2 * 32))
                          : wordsOf(f, form, base, firstGroup);
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
    Value zero = zeros(f, ints(f, 8 * atOnce));
    Value total = dot(zero, 0);
    for (int64_t word = 1; word < form.words; ++word) {
      // Four products with numbers of 24 bits: quants of more than 6 bits do not fit in 32.
      if (word == 2 && largest > 63) {
        Value high = arith::MulFOp::create(f.b, scale,
                                           splatOf(f, floats(f, 8 * atOnce), f.constantF32(256)));
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

/// The transpose of lanes() vectors.
SmallVector<Value> transposed(FunctionEmitter &f, SmallVector<Value> rows) {
  const auto lanes = static_cast<int64_t>(rows.size());
  SmallVector<int64_t> low, high, lowPairs, highPairs;
  for (int64_t i = 0; i < lanes; i += 4) {
    low.append({i, lanes + i, i + 1, lanes + i + 1});
    high.append({i + 2, lanes + i + 2, i + 3, lanes + i + 3});
    lowPairs.append({i, i + 1, lanes + i, lanes + i + 1});
    highPairs.append({i + 2, i + 3, lanes + i + 2, lanes + i + 3});
  }
  // 4 x 4 within each quarter of 128 bits: then vector 4g + j holds, in quarter q, column 4q + j of
  // the rows 4g to 4g + 3.
  for (int64_t g = 0; g < lanes; g += 4) {
    Value a = emitShuffle(f, rows[g], rows[g + 1], low);
    Value b = emitShuffle(f, rows[g], rows[g + 1], high);
    Value c = emitShuffle(f, rows[g + 2], rows[g + 3], low);
    Value d = emitShuffle(f, rows[g + 2], rows[g + 3], high);
    rows[g] = emitShuffle(f, a, c, lowPairs);
    rows[g + 1] = emitShuffle(f, a, c, highPairs);
    rows[g + 2] = emitShuffle(f, b, d, lowPairs);
    rows[g + 3] = emitShuffle(f, b, d, highPairs);
  }
  // Quarters, for each j: quarter q of vector g and quarter g of vector q change places.
  for (int64_t distance = 1; distance < lanes / 4; distance *= 2)
    for (int64_t g = 0; g < lanes / 4; ++g) {
      if (g & distance)
        continue;
      SmallVector<int64_t> first, second;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        bool isUpper = (lane / 4) & distance;
        first.push_back(isUpper ? lanes + lane - 4 * distance : lane);
        second.push_back(isUpper ? lanes + lane : lane + 4 * distance);
      }
      for (int64_t j = 0; j < 4; ++j) {
        Value &x = rows[4 * g + j], &y = rows[4 * (g + distance) + j];
        Value upper = emitShuffle(f, x, y, second);
        x = emitShuffle(f, x, y, first);
        y = upper;
      }
    }
  return rows;
}

/// `@name(packed, rowBytes, columns, blocks, panel)`: `blocks` blocks of the encoding, at most
/// productBlock elements.
void emitPanelDecoder(FunctionEmitter &caller, StringRef name, Encoding encoding) {
  Type p = caller.ptr(), i = caller.i64();
  auto f = FunctionEmitter::helper(caller.lowering, caller.b.getLoc(), name, {p, i, i, i, p});
  auto argument = [&](unsigned index) { return f.function.getArgument(index); };
  Value packed = argument(0), rowBytes = argument(1), columns = argument(2), blocks = argument(3);
  Value panel = argument(4);
  const int64_t lanes = f.lanes(), width = panelWidth(f.lowering.target);
  const int64_t elements = blockElements(encoding);
  Value decoded = f.offset(panel, f.constant(productBlock * width), 4);
  f.loop(f.constant(0), f.constant(2), f.constant(1), [&](Value tile) {
    Value firstColumn = f.mul(tile, lanes);
    f.loop(f.constant(0), f.constant(lanes), f.constant(1), [&](Value row) {
      Value column = f.min(f.add(firstColumn, row), f.sub(columns, f.constant(1)));
      Value source = f.offsetBytes(packed, f.mul(column, rowBytes));
      Value target = f.offset(decoded, f.mul(row, decodedStride), 4);
      f.loop(f.constant(0), blocks, f.constant(1), [&](Value block) {
        PackedBlock unpack(f, encoding, f.offsetBytes(source, f.mul(block, blockBytes(encoding))));
        Value to = f.offset(target, f.mul(block, elements), 4);
        Value scales = unpack.scales(), mins = unpack.mins();
        for (int64_t group = 0; group < elements / 32; ++group)
          for (int64_t first = 0; first < 32; first += lanes)
            f.store(unpack.values(scales, mins, group, first),
                    f.offset(to, f.constant(group * 32 + first), 4));
      });
    });
    f.loop(f.constant(0), f.mul(blocks, elements), f.constant(lanes), [&](Value k) {
      SmallVector<Value> rows;
      for (int64_t row = 0; row < lanes; ++row)
        rows.push_back(f.load(f.vec(f.f32()), f.offset(decoded, f.add(k, row * decodedStride), 4)));
      rows = transposed(f, std::move(rows));
      Value to = f.offset(panel, f.add(f.mul(k, width), firstColumn), 4);
      for (int64_t row = 0; row < lanes; ++row)
        f.store(rows[row], f.offset(to, f.constant(row * width), 4));
    });
  });
  f.finish();
}

} // namespace

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
    call(f, name,
         {f.offset(a, f.mul(row, rowStride), 4), f.constant(blockStride * 4),
          f.offsetBytes(target, f.mul(row, form.bytes())), ok});
  });
  return f.equal(f.load(f.i64(), ok), f.constant(1));
}

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
    call(f, name,
         {weights.packed, weights.columns, f.offsetBytes(integerRows, f.mul(row, form.bytes())),
          f.offset(c, f.mul(row, width), 4)});
  };
  Value whole = f.mul(f.div(rows, f.constant(tile)), tile);
  f.loop(f.constant(0), whole, f.constant(tile), [&](Value row) { product(tile, row); });
  if (tile > 1)
    f.loop(whole, rows, f.constant(1), [&](Value row) { product(1, row); });
}

int64_t decodedPanelBytes(const CpuTarget &target) {
  return (productBlock * panelWidth(target) + target.lanes() * decodedStride) * 4;
}

void emitDecodedPanel(FunctionEmitter &f, Encoding encoding, int64_t columns,
                      const QuantizedOperands &weights, Value block, Value panel) {
  std::string name = "decode." + std::string(kiln::name(encoding));
  if (!f.lowering.module.lookupSymbol(name))
    emitPanelDecoder(f, name, encoding);
  const int64_t perBlock = productBlock / blockElements(encoding);
  Value first = f.mul(block, perBlock);
  Value blocks =
      f.min(f.constant(perBlock), f.sub(f.constant(columns / blockElements(encoding)), first));
  call(f, name,
       {f.offsetBytes(weights.packed, f.mul(first, blockBytes(encoding))),
        f.constant(packedRowBytes(encoding, columns)), weights.columns, blocks, panel});
}

} // namespace kiln::passes
