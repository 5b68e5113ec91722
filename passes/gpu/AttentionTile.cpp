#include "passes/gpu/AttentionTile.h"

#include "passes/cpu/VectorMath.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t stepBytes = 32, chunkBytes = ProductTile::chunkBytes;

int64_t roundUp(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

Value greater(FunctionEmitter &f, Value x, Value y) { // NaN need not win: it comes back in the sum
  Value isGreater = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(f.b, isGreater, x, y);
}
Value plus(FunctionEmitter &f, Value x, Value y) { return arith::AddFOp::create(f.b, x, y); }
Value times(FunctionEmitter &f, Value x, Value y) { return arith::MulFOp::create(f.b, x, y); }

/// Over the four threads that have a row.
Value overRow(FunctionEmitter &f, Value value,
              llvm::function_ref<Value(FunctionEmitter &, Value, Value)> combine) {
  for (int32_t mask : {1, 2})
    value = combine(f, value, device::shuffleXor(f, value, mask));
  return value;
}

} // namespace

struct AttentionTile::Lane {
  Lane(FunctionEmitter &f, Value thread)
      : lane(f.rem(thread, f.constant(32))), warp(f.div(thread, f.constant(32))),
        group(f.div(lane, f.constant(4))), inGroup(f.rem(lane, f.constant(4))) {}
  Value lane, warp;
  Value group, inGroup; // row and pair of columns of a result's 8 x 8
};

AttentionTile::AttentionTile(const DeviceProduct &product, int64_t depth, int64_t columns)
    : product(product), paddedColumns(roundUp(columns, 16)),
      depthBytes(roundUp(depth * bytes(), stepBytes)), rowBytes(depthBytes + 16),
      valueRowBytes(paddedColumns * bytes() + 16) {}

int64_t AttentionTile::sharedBytes() const {
  return std::max((queries + keys) * rowBytes + keys * valueRowBytes, queries * resultStride() * 4);
}

void AttentionTile::loadTile(FunctionEmitter &f, Value thread, const TileOperand &rows,
                             Value shared, int64_t stride) const {
  const int64_t chunks = (stride - 16) / chunkBytes;
  for (int64_t first = 0; first < queries * chunks; first += threads) {
    Value item = f.add(thread, first);
    Value row = f.div(item, f.constant(chunks)), chunk = f.rem(item, f.constant(chunks));
    Value to = f.add(f.mul(row, stride), f.mul(chunk, chunkBytes));
    rows.load(rows.prepare(row), f.mul(chunk, chunkBytes / bytes()),
              device::sharedOffset(f, shared, to));
  }
}

SmallVector<Value> AttentionTile::scores(FunctionEmitter &f, const Lane &at, Value q,
                                         Value k) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  // See ProductTile::emit.
  Value qRow = f.add(f.mul(at.warp, 16), f.rem(at.lane, number(16)));
  Value qOffset = f.add(f.mul(qRow, rowBytes), f.mul(f.div(at.lane, number(16)), chunkBytes));
  Value kRow = f.add(f.mul(f.div(at.lane, number(16)), 8), f.rem(at.lane, number(8)));
  Value kChunk = f.rem(f.div(at.lane, number(8)), number(2));
  Value kOffset = f.add(f.mul(kRow, rowBytes), f.mul(kChunk, chunkBytes));
  SmallVector<Value> sums(keyTiles() * 4, f.constantF32(0));
  // bfloat16 made of float32 takes two steps of it at once.
  const int64_t atOnce = rounds() ? 2 : 1;
  for (int64_t first = 0; first < depthBytes; first += atOnce * stepBytes) {
    SmallVector<SmallVector<Value>> qWords(1), kWords(keyTiles());
    for (int64_t step = first; step < std::min(depthBytes, first + atOnce * stepBytes);
         step += stepBytes) {
      llvm::append_range(qWords[0],
                         device::loadMatrices(f, device::sharedOffset(f, q, f.add(qOffset, step))));
      for (int64_t n = 0; n < keyTiles(); n += 2) {
        Value offset = f.add(kOffset, n * 8 * rowBytes + step);
        SmallVector<Value> words = device::loadMatrices(f, device::sharedOffset(f, k, offset));
        kWords[n].append({words[0], words[1]});
        kWords[n + 1].append({words[2], words[3]});
      }
    }
    emitMultiplySteps(f, product, qWords, kWords, sums);
  }
  return sums;
}

void AttentionTile::addValues(FunctionEmitter &f, const Lane &at, ArrayRef<Value> weights, Value v,
                              MutableArrayRef<Value> sums) const {
  Type i32 = f.b.getI32Type();
  auto word = [&](Value value) { return LLVM::BitcastOp::create(f.b, i32, value).getResult(); };
  if (product.dtype == DType::float32) {
    // Keys 2 i and 2 i + 1 of eight, which thread i of a row has, are what the instruction takes as
    // k = i and k = i + 4.
    const int64_t atOnce = rounds() ? 2 : 1;
    for (int64_t first = 0; first < keyTiles(); first += atOnce) {
      SmallVector<SmallVector<Value>> a(1), b(columnTiles());
      for (int64_t tile = first; tile < first + atOnce; ++tile) {
        ArrayRef<Value> four = weights.slice(tile * 4, 4);
        a[0].append({word(four[0]), word(four[2]), word(four[1]), word(four[3])});
        Value key = f.add(f.mul(at.inGroup, 2), tile * 8);
        Value place = f.add(f.mul(key, valueRowBytes), f.mul(at.group, 4));
        for (int64_t n = 0; n < columnTiles(); ++n)
          for (int64_t row : {0, 1}) {
            Value offset = f.add(place, row * valueRowBytes + n * 8 * 4);
            b[n].push_back(f.load(i32, device::sharedOffset(f, v, offset)));
          }
      }
      emitMultiplySteps(f, product, a, b, sums);
    }
    return;
  }
  // The results of two tiles of 8 keys are the operand of a step of 16.
  auto pair = [&](Value x, Value y) {
    auto two = VectorType::get({2}, f.f32());
    Type half = product.dtype == DType::bfloat16 ? Type(f.b.getBF16Type()) : Type(f.b.getF16Type());
    Value floats = vector::FromElementsOp::create(f.b, two, ValueRange{x, y});
    return word(arith::TruncFOp::create(f.b, VectorType::get({2}, half), floats));
  };
  Value key = f.rem(at.lane, f.constant(16)), chunk = f.div(at.lane, f.constant(16));
  Value offset = f.add(f.mul(key, valueRowBytes), f.mul(chunk, chunkBytes));
  for (int64_t tile = 0; tile < keyTiles(); tile += 2) {
    ArrayRef<Value> w = weights.slice(tile * 4, 8);
    SmallVector<SmallVector<Value>> a = {
        {pair(w[0], w[1]), pair(w[2], w[3]), pair(w[4], w[5]), pair(w[6], w[7])}};
    SmallVector<SmallVector<Value>> b;
    for (int64_t n = 0; n < columnTiles(); n += 2) {
      Value from = f.add(offset, tile * 8 * valueRowBytes + n * 8 * bytes());
      SmallVector<Value> words =
          device::loadMatrices(f, device::sharedOffset(f, v, from), /*transposed=*/true);
      b.push_back({words[0], words[1]});
      b.push_back({words[2], words[3]});
    }
    emitMultiplySteps(f, product, a, b, sums);
  }
}

void AttentionTile::emit(FunctionEmitter &f, Value thread, Value shared, const TileOperand &q,
                         std::function<TileOperand(Value)> keyRows,
                         std::function<TileOperand(Value)> valueRows, Value keyCount,
                         const Adjust &adjust) const {
  const Lane at(f, thread);
  Value k = device::sharedOffset(f, shared, f.constant(queries * rowBytes));
  Value v = device::sharedOffset(f, shared, f.constant((queries + keys) * rowBytes));
  Value lowest = f.constantF32(-std::numeric_limits<float>::infinity()), zero = f.constantF32(0);
  loadTile(f, thread, q, shared, rowBytes);

  // Of each of this thread's two rows the largest score and the sum of its weights; the results.
  SmallVector<Value> carried = {lowest, lowest, zero, zero};
  carried.append(columnTiles() * 4, zero);
  auto last = f.fold(
      f.constant(0), keyCount, f.constant(keys), carried, [&](Value firstKey, ValueRange values) {
        SmallVector<Value> next(values);
        loadTile(f, thread, keyRows(firstKey), k, rowBytes);
        loadTile(f, thread, valueRows(firstKey), v, valueRowBytes);
        device::barrier(f);
        SmallVector<Value> weights = scores(f, at, shared, k);
        for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i) {
          const int64_t tile = i / 4, half = i % 4 / 2, column = i % 2;
          Value query = f.add(f.add(f.mul(at.warp, 16), at.group), half * 8);
          Value key = f.add(f.add(firstKey, f.mul(at.inGroup, 2)), tile * 8 + column);
          weights[i] = arith::SelectOp::create(f.b, f.lessThan(key, keyCount),
                                               adjust(weights[i], query, key), lowest);
        }
        MutableArrayRef<Value> sums = MutableArrayRef<Value>(next).drop_front(4);
        for (int64_t half = 0; half < 2; ++half) {
          auto ofRow = [&](int64_t i) { return i % 4 / 2 == half; };
          Value most = lowest;
          for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i)
            if (ofRow(i))
              most = greater(f, most, weights[i]);
          Value largest = greater(f, next[half], overRow(f, most, greater));
          // Nothing but -inf so far: exp(-inf - 0) = 0, where exp(-inf - -inf) would be NaN.
          Value nothing = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, largest, lowest);
          Value reference = arith::SelectOp::create(f.b, nothing, zero, largest);
          auto power = [&](Value x) {
            return emitExpFlushed(f.b, arith::SubFOp::create(f.b, x, reference), {/*fma=*/true});
          };
          Value change = power(next[half]), sum = times(f, next[2 + half], change);
          for (int64_t i = 0; i < static_cast<int64_t>(weights.size()); ++i)
            if (ofRow(i)) {
              weights[i] = power(weights[i]);
              sum = plus(f, sum, weights[i]);
            }
          next[half] = largest;
          next[2 + half] = sum;
          for (int64_t i = 0; i < static_cast<int64_t>(sums.size()); ++i)
            if (ofRow(i))
              sums[i] = times(f, sums[i], change);
        }
        addValues(f, at, weights, v, sums);
        device::barrier(f); // before the next keys take the place of these
        return next;
      });
  device::barrier(f); // also where there were no keys

  // A query that attends to nothing: its sum and its results are 0.
  Value row = f.add(f.mul(at.warp, 16), at.group), column = f.mul(at.inGroup, 2);
  Value first = f.add(f.mul(row, resultStride()), column);
  for (int64_t half = 0; half < 2; ++half) {
    Value sum = overRow(f, last[2 + half], plus);
    Value nothing = arith::CmpFOp::create(f.b, arith::CmpFPredicate::OEQ, sum, zero);
    Value divisor = arith::SelectOp::create(f.b, nothing, f.constantF32(1), sum);
    for (int64_t tile = 0; tile < columnTiles(); ++tile) {
      auto result = [&](int64_t i) -> Value {
        return arith::DivFOp::create(f.b, last[4 + tile * 4 + half * 2 + i], divisor);
      };
      Value two = vector::FromElementsOp::create(f.b, VectorType::get({2}, f.f32()),
                                                 ValueRange{result(0), result(1)});
      Value place = f.add(first, half * 8 * resultStride() + tile * 8);
      f.store(two, device::sharedOffset(f, shared, f.mul(place, 4)));
    }
  }
  device::barrier(f);
}

} // namespace kiln::passes
