#include "passes/gpu/ThinTile.h"

#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Blocks that are wanted: two for each multiprocessor of a large device (H100: 132).
constexpr int64_t wantedBlocks = 264;
/// Chunks of each column and row that a thread has under way at once.
constexpr int64_t chunksAtOnce = 2;

/// Adds up what the 32 threads of a warp have of each of `values`, a power of two of them: value i
/// is then with the threads from 32 / values * i on. Each exchange halves what a thread has.
Value sumOverWarp(FunctionEmitter &f, Value lane, SmallVector<Value> values) {
  for (int32_t mask = 16; mask; mask /= 2) {
    const size_t half = values.size() / 2;
    if (half == 0) {
      values[0] = arith::AddFOp::create(f.b, values[0], device::shuffleXor(f, values[0], mask));
      continue;
    }
    Value bit = arith::AndIOp::create(f.b, lane, f.constant(mask));
    Value isUpper = f.lessThan(f.constant(0), bit);
    for (size_t i = 0; i < half; ++i) {
      Value lower = values[i], upper = values[half + i];
      Value kept = arith::SelectOp::create(f.b, isUpper, upper, lower);
      Value given = arith::SelectOp::create(f.b, isUpper, lower, upper);
      values[i] = arith::AddFOp::create(f.b, kept, device::shuffleXor(f, given, mask));
    }
    values.resize(half);
  }
  return values[0];
}

} // namespace

ThinTile::ThinTile(int64_t rows, int64_t chunk, int64_t depth, int64_t columns)
    : rows(rows), chunk(chunk), chunks(depth / chunk) {
  // As long as there are few blocks, and half of a warp's threads have a chunk.
  while (depthWarps < warps && columns < wantedBlocks * shape().columns &&
         chunks >= 2 * depthWarps * 16)
    depthWarps *= 2;
}

void ThinTile::emit(FunctionEmitter &f, Value thread, const TileOperand &a, Value aRows,
                    const TileOperand &b, Value bRows, Value partial, Value results) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value part = f.rem(warp, number(depthWarps)); // of k
  Value firstColumn = f.mul(f.div(warp, number(depthWarps)), warpColumns);
  // In the place of those behind the last one, that one: what comes of it is not used.
  auto prepare = [&](const TileOperand &operand, Value first, int64_t count, Value there) {
    SmallVector<SmallVector<Value>> prepared;
    for (int64_t i = 0; i < count; ++i)
      prepared.push_back(operand.prepare(f.min(f.add(first, i), f.sub(there, number(1)))));
    return prepared;
  };
  auto left = prepare(a, number(0), rows, aRows);
  auto right = prepare(b, firstColumn, warpColumns, bRows);

  auto multiply = [&](ArrayRef<Value> numbers, ValueRange before) {
    // All loads first: they are on their way together.
    SmallVector<SmallVector<Value>> x(numbers.size()), y(numbers.size());
    for (auto [i, chunkNumber] : llvm::enumerate(numbers)) {
      Value column = f.mul(chunkNumber, chunk);
      for (const auto &prepared : right)
        y[i].push_back(b.read(prepared, column));
      for (const auto &prepared : left)
        x[i].push_back(a.read(prepared, column));
    }
    SmallVector<Value> sums(before);
    for (size_t i = 0; i < numbers.size(); ++i)
      for (int64_t element = 0; element < chunk; ++element)
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t column = 0; column < warpColumns; ++column) {
            Value &sum = sums[row * warpColumns + column];
            sum = f.multiplyAdd(vector::ExtractOp::create(f.b, x[i][row], element),
                                vector::ExtractOp::create(f.b, y[i][column], element), sum);
          }
    return sums;
  };
  // Of each round a thread has one chunk.
  const int64_t together = depthWarps * 32, rounds = chunks / together;
  Value mine = f.add(f.mul(part, 32), lane);
  auto chunkOf = [&](Value round) { return f.add(f.mul(round, together), mine); };
  SmallVector<Value> sums(rows * warpColumns, f.constantF32(0));
  const int64_t unrolled = rounds / chunksAtOnce * chunksAtOnce;
  if (unrolled)
    sums = f.fold(number(0), number(unrolled), number(chunksAtOnce), sums,
                  [&](Value round, ValueRange carried) {
                    SmallVector<Value> numbers;
                    for (int64_t i = 0; i < chunksAtOnce; ++i)
                      numbers.push_back(chunkOf(f.add(round, i)));
                    return multiply(numbers, carried);
                  });
  for (int64_t round = unrolled; round < rounds; ++round)
    sums = multiply(chunkOf(number(round)), sums);
  if (chunks % together) {
    Value last = chunkOf(number(rounds));
    auto branch = scf::IfOp::create(f.b, ValueRange(sums).getTypes(),
                                    f.lessThan(last, number(chunks)), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&branch.getThenRegion().front());
    scf::YieldOp::create(f.b, multiply(last, sums));
    f.b.setInsertionPointToStart(&branch.getElseRegion().front());
    scf::YieldOp::create(f.b, sums);
    sums = branch.getResults();
  }

  const int64_t columns = shape().columns, alike = 32 / (rows * warpColumns);
  Value sum = sumOverWarp(f, lane, sums);
  f.ifThen(f.equal(f.rem(lane, number(alike)), number(0)), [&] {
    Value value = f.div(lane, number(alike));
    Value row = f.div(value, number(warpColumns)), column = f.rem(value, number(warpColumns));
    Value place = f.add(f.mul(row, columns), f.add(firstColumn, column));
    Value offset = f.add(f.mul(part, resultBytes()), f.mul(place, 4));
    f.store(sum, device::sharedOffset(f, depthWarps > 1 ? partial : results, offset));
  });
  device::barrier(f);
  if (depthWarps == 1)
    return;
  f.ifThen(f.lessThan(thread, number(rows * columns)), [&] {
    Value offset = f.mul(thread, 4), total;
    for (int64_t i = 0; i < depthWarps; ++i) {
      Value at = f.add(offset, i * resultBytes());
      Value one = f.load(f.f32(), device::sharedOffset(f, partial, at));
      total = total ? Value(arith::AddFOp::create(f.b, total, one)) : one;
    }
    f.store(total, device::sharedOffset(f, results, offset));
  });
  device::barrier(f);
}

} // namespace kiln::passes
