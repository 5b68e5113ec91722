#include "passes/cpu/MicrokernelPacking.h"

#include "passes/cpu/MicrokernelPairs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

void emitColumns(FunctionEmitter &f, Value count, bool wholeVectors,
                 llvm::function_ref<void(Value column, Value mask)> body) {
  if (!wholeVectors)
    return f.vectorLoop(count, body);
  f.loop(f.constant(0), count, f.constant(f.lanes()), [&](Value column) { body(column, {}); });
}

bool isWholeVectors(FunctionEmitter &f, const Dim &columns) {
  return columns.isStatic() && columns.value() % f.lanes() == 0;
}

/// Bits of bfloat16 as words of 32 bits.
static Value widenBits(FunctionEmitter &f, Value halves) {
  Value bits = LLVM::BitcastOp::create(f.b, f.vec(f.b.getI16Type()), halves);
  return arith::ExtUIOp::create(f.b, f.vec(f.b.getI32Type()), bits);
}
static Value toUpperHalf(FunctionEmitter &f, Value words) {
  auto type = f.vec(f.b.getI32Type());
  Value sixteen = arith::ConstantOp::create(f.b, DenseElementsAttr::get(type, APInt(32, 16)));
  return arith::ShLIOp::create(f.b, words, sixteen);
}

/// Float32 as operands are kept: each part of them.
static SmallVector<Value, 2> toParts(FunctionEmitter &f, const ProductFormat &format,
                                     Value values) {
  if (!format.inPairs())
    return {values};
  SmallVector<Value, 2> parts = {emitToBFloat16(f, values)};
  if (format.parts == 2) {
    Value first =
        LLVM::BitcastOp::create(f.b, f.vec(f.f32()), toUpperHalf(f, widenBits(f, parts[0])));
    parts.push_back(emitToBFloat16(f, arith::SubFOp::create(f.b, values, first)));
  }
  return parts;
}

/// Stores elements of a row of A, given in parts, `stride` elements apart.
static void storeParts(FunctionEmitter &f, const ProductFormat &format, ArrayRef<Value> parts,
                       Value to, int64_t stride) {
  for (auto [part, values] : llvm::enumerate(parts))
    f.store(values, f.offset(to, f.constant(int64_t(part) * stride), format.rowBytes()));
}

/// The second half of the pair of an odd column.
static void clearBehind(FunctionEmitter &f, const ProductFormat &format, Value row, Value columns,
                        int64_t stride) {
  Value zero = arith::ConstantIntOp::create(f.b, f.b.getI16Type(), 0);
  storeParts(f, format, SmallVector<Value, 2>(format.parts, zero),
             f.offset(row, columns, format.rowBytes()), stride);
}

void emitPackRows(FunctionEmitter &f, const ProductFormat &format, Value a, Value rows,
                  Value columns, bool wholeVectors, int64_t blockStride, const RowSource &source) {
  Value blocks = f.ceilDiv(columns, f.constant(productBlock));
  const int64_t nextPart = partStride(format, blockStride);
  f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
    RowReader read = source(row);
    f.loop(f.constant(0), blocks, f.constant(1), [&](Value block) {
      Value first = f.mul(block, productBlock);
      Value count = f.min(f.constant(productBlock), f.sub(columns, first));
      Value to = f.offset(a, f.add(f.mul(block, blockStride), f.mul(row, format.rowStride)),
                          format.rowBytes());
      // The last vector of a row is stored whole: there is room, and nobody reads what is beyond.
      emitColumns(f, count, wholeVectors, [&](Value column, Value mask) {
        storeParts(f, format, toParts(f, format, read(f.add(first, column), mask)),
                   f.offset(to, column, format.rowBytes()), nextPart);
      });
      if (format.inPairs() && !wholeVectors)
        clearBehind(f, format, to, count, nextPart);
    });
  });
}

void emitPackRuns(FunctionEmitter &f, const ProductFormat &format, Value a, Value rows,
                  const RunShape &shape, const RunSource &source) {
  const int64_t run = shape.sizes.back();
  int64_t columns = 1;
  for (int64_t size : shape.sizes)
    columns *= size;
  const bool wholeVectors = run % f.lanes() == 0;
  const int64_t nextPart = partStride(format, shape.blockStride);
  const bool mayStraddle = !wholeVectors && columns > productBlock;
  f.loop(f.constant(0), rows, f.constant(1), [&](Value row) {
    RunReader read = source(row);
    Value rowStart = f.offset(a, f.mul(row, format.rowStride), format.rowBytes());
    SmallVector<Value> indices;
    // Ascending: what a vector stores beyond its run is overwritten by the next run, or lies
    // between the rows, where nobody reads.
    std::function<void(size_t, Value)> nest = [&](size_t axis, Value first) {
      if (axis + 1 < shape.sizes.size()) {
        f.loop(f.constant(0), f.constant(shape.sizes[axis]), f.constant(1), [&](Value index) {
          indices.push_back(index);
          nest(axis + 1, f.mul(f.add(first, index), shape.sizes[axis + 1]));
          indices.pop_back();
        });
        return;
      }
      emitColumns(f, f.constant(run), wholeVectors, [&](Value column, Value mask) {
        Value position = f.add(first, column);
        Value block = f.div(position, f.constant(productBlock));
        Value inBlock = f.rem(position, f.constant(productBlock));
        Value to =
            f.offset(rowStart, f.add(f.mul(block, shape.blockStride), inBlock), format.rowBytes());
        SmallVector<Value, 2> parts = toParts(f, format, read(indices, column, mask));
        storeParts(f, format, parts, to, nextPart);
        if (!mayStraddle)
          return;
        // The rest of a vector that goes beyond a block belongs to the next one.
        Value end = f.mul(f.add(block, 1), productBlock);
        Value crosses = arith::AndIOp::create(f.b, f.lessThan(end, f.add(position, f.lanes())),
                                              f.lessThan(end, f.constant(columns)));
        f.ifThen(crosses, [&] {
          storeParts(f, format, parts,
                     f.offset(to, f.constant(shape.blockStride - productBlock), format.rowBytes()),
                     nextPart);
        });
      });
    };
    nest(0, f.constant(0));
    if (format.inPairs() && columns % 2)
      clearBehind(f, format, rowStart,
                  f.constant(columns / productBlock * shape.blockStride + columns % productBlock),
                  nextPart);
  });
}

/// Rows 2 p and 2 p + 1 as one of pairs; the second one null: zeros.
static Value interleave(FunctionEmitter &f, Value low, Value high) {
  if (!high)
    return widenBits(f, low);
  return arith::OrIOp::create(f.b, widenBits(f, low), toUpperHalf(f, widenBits(f, high)));
}

static void packPairPanel(FunctionEmitter &f, const ProductFormat &format, Value panel, Value k,
                          Value columns, const RowSource &source) {
  auto packPair = [&](Value pair, bool whole) {
    Value row = f.mul(pair, 2);
    RowReader low = source(row), high = whole ? source(f.add(row, 1)) : RowReader();
    Value to = f.offset(panel, f.mul(pair, format.panelWidth), 4);
    f.vectorLoop(columns, [&](Value column, Value mask) {
      SmallVector<Value, 2> lows = toParts(f, format, low(column, mask)), highs(lows.size());
      if (whole)
        highs = toParts(f, format, high(column, mask));
      for (size_t part = 0; part < lows.size(); ++part) {
        Value place = f.add(column, int64_t(part) * format.partElements(productBlock) / 2);
        f.store(interleave(f, lows[part], highs[part]), f.offset(to, place, 4));
      }
    });
  };
  Value pairs = f.div(k, f.constant(2));
  f.loop(f.constant(0), pairs, f.constant(1), [&](Value pair) { packPair(pair, true); });
  f.ifThen(f.lessThan(f.mul(pairs, 2), k), [&] { packPair(pairs, false); });
}

void emitPackPanel(FunctionEmitter &f, const ProductFormat &format, Value panel, Value k,
                   Value columns, const RowSource &source) {
  if (format.inPairs())
    return packPairPanel(f, format, panel, k, columns, source);
  const int64_t lanes = f.lanes();
  f.loop(f.constant(0), k, f.constant(1), [&](Value row) {
    RowReader read = source(row);
    Value to = f.offset(panel, f.mul(row, 2 * lanes), 4);
    f.vectorLoop(columns, [&](Value column, Value mask) {
      f.store(read(column, mask), f.offset(to, column, 4));
    });
  });
}

void storeRounded(FunctionEmitter &f, ElementEmitter &elements, Value rounded, DType dtype,
                  Value pointer, Value mask) {
  if (dtype != DType::bfloat16 || !isa<VectorType>(rounded.getType()))
    return elements.storeAt(rounded, dtype, pointer, mask);
  // The upper half: rounding once more costs as much as the rest of a bias.
  auto words = f.vec(f.b.getI32Type());
  Value sixteen = arith::ConstantOp::create(f.b, DenseElementsAttr::get(words, APInt(32, 16)));
  Value bits = arith::BitcastOp::create(f.b, words, rounded);
  Value half = arith::TruncIOp::create(f.b, f.vec(f.b.getI16Type()),
                                       arith::ShRUIOp::create(f.b, bits, sixteen));
  f.maskedStore(half, pointer, mask);
}

void emitStores(FunctionEmitter &f, Kernel &kernel, ElementEmitter &elements, const Coords &at) {
  for (auto [number, result] : llvm::enumerate(kernel.terminator()->getOperands())) {
    TensorType type = ElementEmitter::typeOf(result);
    Value position = f.constant(0);
    for (int64_t axis = 0; axis < type.rank(); ++axis)
      position = f.add(f.mul(position, f.dimValue(type.shape[axis])), at.index[axis]);
    Value pointer =
        f.offset(f.buffer(kernel.numOperands() + number), position, sizeBytes(type.dtype));
    storeRounded(f, elements, elements.emit(result, at), type.dtype, pointer, at.mask);
  }
}

} // namespace kiln::passes
