#include "passes/gpu/ProductTile.h"

#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/MultiplyStep.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
SmallVector<Value> ProductTile::emit(FunctionEmitter &f, Value thread, Value shared,
                                     const TileOperand &a, const TileOperand &b,
                                     Value depth) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  const int64_t bytes = sizeBytes(dtype), stageRows = shape.rows + shape.columns;
  const int64_t rowsAtOnce = shape.threads() / chunks;
  // The chunks that this thread copies: always the same one of a row, of some rows.
  Value chunk = f.rem(thread, number(chunks)), firstRow = f.div(thread, number(chunks));
  struct Source {
    const TileOperand *operand;
    Value offset; // of the chunk within a stage, bytes
    SmallVector<Value> prepared;
  };
  SmallVector<Source> sources;
  auto addSources = [&](const TileOperand &operand, int64_t rows, int64_t base) {
    for (int64_t i = 0; i < rows / rowsAtOnce; ++i) {
      Value row = f.add(firstRow, i * rowsAtOnce);
      Value offset = f.add(f.mul(f.add(row, base), rowBytes), f.mul(chunk, chunkBytes));
      sources.push_back({&operand, offset, operand.prepare(row)});
    }
  };
  addSources(a, shape.rows, 0);
  addSources(b, shape.columns, shape.rows);
  auto copyStage = [&](Value step) {
    Value stage =
        device::sharedOffset(f, shared, f.mul(f.rem(step, number(stages)), stageRows * rowBytes));
    Value column = f.mul(f.add(f.mul(step, chunks), chunk), chunkBytes / bytes);
    for (const Source &source : sources)
      source.operand->load(source.prepared, column, device::sharedOffset(f, stage, source.offset));
    device::commitCopies(f);
  };

  // Where this thread's registers come from: see loadMatrices.
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value warpRow = f.div(warp, number(shape.warpColumns)),
        warpColumn = f.rem(warp, number(shape.warpColumns));
  Value aRow = f.add(f.mul(warpRow, tilesM() * 16), f.rem(lane, number(16)));
  Value aOffset = f.add(f.mul(aRow, rowBytes), f.mul(f.div(lane, number(16)), chunkBytes));
  Value bRow = f.add(f.mul(f.div(lane, number(16)), 8), f.rem(lane, number(8)));
  bRow = f.add(f.add(f.mul(warpColumn, tilesN() * 8), bRow), shape.rows);
  Value bChunk = f.rem(f.div(lane, number(8)), number(2));
  Value bOffset = f.add(f.mul(bRow, rowBytes), f.mul(bChunk, chunkBytes));

  for (int64_t step = 0; step < stages - 1; ++step)
    copyStage(number(step));
  Value steps = f.ceilDiv(depth, number(chunks * chunkBytes / bytes));
  SmallVector<Value> zeros(tilesM() * tilesN() * 4, f.constantF32(0));
  auto sums = f.fold(number(0), steps, number(1), zeros, [&](Value step, ValueRange carried) {
    device::waitForCopies(f, stages - 2);
    device::barrier(f); // the stage is there, and all have read the one that is written next
    copyStage(f.add(step, stages - 1));
    Value stage =
        device::sharedOffset(f, shared, f.mul(f.rem(step, number(stages)), stageRows * rowBytes));
    SmallVector<Value> next(carried);
    for (int64_t half = 0; half < chunks / 2; ++half) {
      auto load = [&](Value offset, int64_t row) {
        Value at = f.add(offset, row * rowBytes + half * 2 * chunkBytes);
        return device::loadMatrices(f, device::sharedOffset(f, stage, at));
      };
      SmallVector<SmallVector<Value>> aWords, bWords;
      for (int64_t m = 0; m < tilesM(); ++m)
        aWords.push_back(load(aOffset, m * 16));
      for (int64_t n = 0; n < tilesN(); n += 2) {
        SmallVector<Value> words = load(bOffset, n * 8);
        bWords.push_back({words[0], words[1]});
        bWords.push_back({words[2], words[3]});
      }
      emitMultiplyStep(f, dtype, aWords, bWords, next);
    }
    return next;
  });
  device::waitForCopies(f, 0);
  device::barrier(f);
  return sums;
}

void ProductTile::store(FunctionEmitter &f, Value thread, ValueRange sums, Value shared) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value row =
      f.add(f.mul(f.div(warp, number(shape.warpColumns)), tilesM() * 16), f.div(lane, number(4)));
  Value column = f.add(f.mul(f.rem(warp, number(shape.warpColumns)), tilesN() * 8),
                       f.mul(f.rem(lane, number(4)), 2));
  Value first = f.add(f.mul(row, resultStride()), column);
  auto pair = VectorType::get({2}, f.f32());
  for (int64_t m = 0; m < tilesM(); ++m)
    for (int64_t n = 0; n < tilesN(); ++n)
      for (int64_t half = 0; half < 2; ++half) { // rows 8 apart
        int64_t at = (m * 16 + half * 8) * resultStride() + n * 8;
        size_t sum = (m * tilesN() + n) * 4 + half * 2;
        Value two = vector::FromElementsOp::create(f.b, pair, ValueRange{sums[sum], sums[sum + 1]});
        f.store(two, device::sharedOffset(f, shared, f.mul(f.add(first, at), 4)));
      }
}

} // namespace kiln::passes
