#include "passes/gpu/ProductTile.h"

#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {
Value number32(FunctionEmitter &f, int32_t value) {
  return arith::ConstantIntOp::create(f.b, value, 32);
}
} // namespace

struct ProductTile::Places {
  struct Source {
    const TileOperand *operand;
    Value offset; // of the chunk within a stage, bytes
    Value k;      // of its first element within a stage
    SmallVector<Value> prepared;
  };
  Value shared;
  SmallVector<Source> sources;
  bool isAcross;
  Value a, b; // bytes within a stage
};

/// A thread always copies the same chunk of a row, of some rows.
void ProductTile::addSources(FunctionEmitter &f, Places &places, Value thread,
                             const TileOperand &operand, int64_t rows, int64_t base) const {
  const int64_t rowsAtOnce = shape.threads() / chunks;
  Value chunk = f.rem(thread, f.constant(chunks)), firstRow = f.div(thread, f.constant(chunks));
  for (int64_t i = 0; i < rows / rowsAtOnce; ++i) {
    Value row = f.add(firstRow, i * rowsAtOnce);
    Value offset = f.add(f.mul(f.add(row, base), rowBytes), f.mul(chunk, chunkBytes));
    places.sources.push_back(
        {&operand, offset, f.mul(chunk, chunkElements()), operand.prepare(row)});
  }
}

void ProductTile::addSourcesAcross(FunctionEmitter &f, Places &places, Value thread,
                                   const TileOperand &operand) const {
  assert(chunks * chunkElements() * acrossBytes() <= shape.columns * rowBytes);
  const int64_t wide = shape.columns / chunkElements(), rowsAtOnce = shape.threads() / wide;
  Value chunk = f.rem(thread, f.constant(wide)), firstRow = f.div(thread, f.constant(wide));
  SmallVector<Value> prepared = operand.prepare(f.mul(chunk, chunkElements()));
  for (int64_t i = 0; i < chunks * chunkElements() / rowsAtOnce; ++i) {
    Value row = f.add(firstRow, i * rowsAtOnce);
    Value offset = f.add(f.mul(row, acrossBytes()), f.mul(chunk, chunkBytes));
    places.sources.push_back({&operand, f.add(offset, shape.rows * rowBytes), row, prepared});
  }
}

SmallVector<Value> ProductTile::emit(FunctionEmitter &f, Value thread, Value shared,
                                     const TileOperand &a, const TileOperand &b,
                                     const Stages &stretch) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  Places places;
  places.shared = shared;
  places.isAcross = b.isAcross;
  addSources(f, places, thread, a, shape.rows, 0);
  if (b.isAcross)
    addSourcesAcross(f, places, thread, b);
  else
    addSources(f, places, thread, b, shape.columns, shape.rows);

  // Where this thread's registers come from: see loadMatrices.
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value warpRow = f.div(warp, number(shape.warpColumns)),
        warpColumn = f.rem(warp, number(shape.warpColumns));
  Value aRow = f.add(f.mul(warpRow, tilesM() * 16), f.rem(lane, number(16)));
  places.a = f.add(f.mul(aRow, rowBytes), f.mul(f.div(lane, number(16)), chunkBytes));
  Value firstColumn = f.mul(warpColumn, tilesN() * 8);
  if (!b.isAcross) {
    Value row = f.add(f.mul(f.div(lane, number(16)), 8), f.rem(lane, number(8)));
    row = f.add(f.add(firstColumn, row), shape.rows);
    Value chunk = f.rem(f.div(lane, number(8)), number(2));
    places.b = f.add(f.mul(row, rowBytes), f.mul(chunk, chunkBytes));
  } else {
    const int64_t bytes = sizeBytes(product.dtype), each = bytes == 4 ? 4 : 16; // threads
    Value row = f.rem(lane, number(each)), column = f.div(lane, number(each));
    column = f.add(f.mul(firstColumn, bytes), f.mul(column, bytes == 4 ? 4 : chunkBytes));
    places.b = f.add(f.add(f.mul(row, acrossBytes()), column), shape.rows * rowBytes);
  }

  if (!product.inParts())
    return multiply(f, places, stretch, Operands::anything);

  // Infinities and NaN are not looked for before they show: then all is multiplied once more.
  SmallVector<Value> sums = multiply(f, places, stretch, Operands::finite);
  Value flag = device::sharedArray(f, "product_has_nan", 4);
  f.ifThen(f.equal(thread, number(0)), [&] { f.store(number32(f, 0), flag); });
  device::barrier(f);
  Value isNan;
  for (Value sum : sums) {
    Value one = arith::CmpFOp::create(f.b, arith::CmpFPredicate::UNO, sum, sum);
    isNan = isNan ? Value(arith::OrIOp::create(f.b, isNan, one)) : one;
  }
  f.ifThen(isNan, [&] { f.store(number32(f, 1), flag); });
  device::barrier(f);
  Value again = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ne, f.load(f.b.getI32Type(), flag),
                                      number32(f, 0));
  auto branch = scf::IfOp::create(f.b, ValueRange(sums).getTypes(), again, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(&branch.getThenRegion().front());
  scf::YieldOp::create(f.b, multiply(f, places, stretch, Operands::anything));
  f.b.setInsertionPointToStart(&branch.getElseRegion().front());
  scf::YieldOp::create(f.b, sums);
  return SmallVector<Value>(branch.getResults());
}

SmallVector<Value> ProductTile::multiply(FunctionEmitter &f, const Places &places,
                                         const Stages &stretch, Operands operands) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  const int64_t stageBytes = (shape.rows + shape.columns) * rowBytes;
  auto stageOf = [&](Value step) {
    return device::sharedOffset(f, places.shared, f.mul(f.rem(step, number(stages)), stageBytes));
  };
  Value nowhere = number(int64_t(1) << 40); // k is less
  auto copyStage = [&](Value step) {
    Value stage = stageOf(step);
    // Behind the stretch nothing is read: it is as if k ended there.
    Value first = f.mul(step, chunks * chunkElements());
    first = arith::SelectOp::create(f.b, f.lessThan(step, stretch.end), first, nowhere);
    for (const Places::Source &source : places.sources)
      source.operand->load(source.prepared, f.add(first, source.k),
                           device::sharedOffset(f, stage, source.offset));
    device::commitCopies(f);
  };

  for (int64_t step = 0; step < stages - 1; ++step)
    copyStage(f.add(stretch.begin, step));
  SmallVector<Value> zeros(tilesM() * tilesN() * 4, f.constantF32(0));
  auto sums =
      f.fold(stretch.begin, stretch.end, number(1), zeros, [&](Value step, ValueRange carried) {
        device::waitForCopies(f, stages - 2);
        device::barrier(f); // the stage is there, and all have read the one that is written next
        copyStage(f.add(step, stages - 1));
        Value stage = stageOf(step);
        SmallVector<Value> next(carried);
        // bfloat16 made of float32 takes two steps of it at once.
        const int64_t atOnce =
            product.dtype == DType::float32 && product.precision == Precision::bf16 ? 2 : 1;
        for (int64_t first = 0; first < chunks / 2; first += atOnce) {
          SmallVector<SmallVector<Value>> aWords(tilesM()), bWords(tilesN());
          for (int64_t m = 0; m < tilesM(); ++m)
            for (int64_t half = first; half < first + atOnce; ++half) {
              Value at = f.add(places.a, m * 16 * rowBytes + half * 2 * chunkBytes);
              llvm::append_range(aWords[m],
                                 device::loadMatrices(f, device::sharedOffset(f, stage, at)));
            }
          for (int64_t half = first; half < first + atOnce; ++half)
            loadWords(f, places, stage, half, bWords);
          emitMultiplySteps(f, product, aWords, bWords, next, operands);
        }
        return next;
      });
  device::waitForCopies(f, 0);
  device::barrier(f);
  return sums;
}

void ProductTile::loadWords(FunctionEmitter &f, const Places &places, Value stage, int64_t step,
                            MutableArrayRef<SmallVector<Value>> words) const {
  const int64_t bytes = sizeBytes(product.dtype), depth = 2 * chunkElements(); // k of a step
  auto at = [&](int64_t offset) { return device::sharedOffset(f, stage, f.add(places.b, offset)); };
  if (places.isAcross && bytes == 4) {
    for (int64_t n = 0; n < tilesN(); ++n)
      for (int64_t row : {int64_t(0), depth / 2})
        words[n].push_back(
            f.load(f.b.getI32Type(), at((step * depth + row) * acrossBytes() + n * 32)));
    return;
  }
  for (int64_t n = 0; n < tilesN(); n += 2) {
    const int64_t offset = places.isAcross ? step * depth * acrossBytes() + n * 8 * bytes
                                           : n * 8 * rowBytes + step * 2 * chunkBytes;
    SmallVector<Value> four = device::loadMatrices(f, at(offset), /*transposed=*/places.isAcross);
    words[n].append({four[0], four[1]});
    words[n + 1].append({four[2], four[3]});
  }
}

ProductTile::Stages ProductTile::allStages(FunctionEmitter &f, Value depth) const {
  return {f.constant(0), f.ceilDiv(depth, f.constant(chunks * chunkElements()))};
}

void ProductTile::forEachPair(FunctionEmitter &f, Value thread, ValueRange sums,
                              llvm::function_ref<void(Value, Value, Value)> use) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value row =
      f.add(f.mul(f.div(warp, number(shape.warpColumns)), tilesM() * 16), f.div(lane, number(4)));
  Value column = f.add(f.mul(f.rem(warp, number(shape.warpColumns)), tilesN() * 8),
                       f.mul(f.rem(lane, number(4)), 2));
  auto pair = VectorType::get({2}, f.f32());
  for (int64_t m = 0; m < tilesM(); ++m)
    for (int64_t n = 0; n < tilesN(); ++n)
      for (int64_t half = 0; half < 2; ++half) { // rows 8 apart
        size_t sum = (m * tilesN() + n) * 4 + half * 2;
        Value two = vector::FromElementsOp::create(f.b, pair, ValueRange{sums[sum], sums[sum + 1]});
        use(f.add(row, m * 16 + half * 8), f.add(column, n * 8), two);
      }
}

/// A thread has two neighbours of each tile of 8 columns. Of two tiles, one of two threads next to
/// each other takes the four of the first, the other those of the second.
void ProductTile::forEachFour(FunctionEmitter &f, Value thread,
                              ArrayRef<SmallVector<Value>> products,
                              llvm::function_ref<void(Value, Value, ArrayRef<Value>)> use) const {
  auto number = [&](int64_t value) { return f.constant(value); };
  Value lane = f.rem(thread, number(32)), warp = f.div(thread, number(32));
  Value odd = f.rem(lane, number(2)), isOdd = f.equal(odd, number(1));
  Value row =
      f.add(f.mul(f.div(warp, number(shape.warpColumns)), tilesM() * 16), f.div(lane, number(4)));
  Value column = f.add(f.mul(f.rem(warp, number(shape.warpColumns)), tilesN() * 8),
                       f.mul(f.rem(f.div(lane, number(2)), number(2)), four));
  column = f.add(column, f.mul(odd, 8));
  auto choose = [&](Value ofOdd, Value ofEven) -> Value {
    return arith::SelectOp::create(f.b, isOdd, ofOdd, ofEven);
  };
  auto type = VectorType::get({four}, f.f32());
  for (int64_t m = 0; m < tilesM(); ++m)
    for (int64_t half = 0; half < 2; ++half) // rows 8 apart
      for (int64_t n = 0; n < tilesN(); n += 2) {
        SmallVector<Value> fours;
        for (const SmallVector<Value> &sums : products) {
          const Value *first = &sums[(m * tilesN() + n) * 4 + half * 2], *second = first + 4;
          Value other[2];
          for (int64_t i = 0; i < 2; ++i)
            other[i] = device::shuffleXor(f, choose(first[i], second[i]), 1);
          fours.push_back(vector::FromElementsOp::create(
              f.b, type,
              ValueRange{choose(other[0], first[0]), choose(other[1], first[1]),
                         choose(second[0], other[0]), choose(second[1], other[1])}));
        }
        use(f.add(row, m * 16 + half * 8), f.add(column, n * 8), fours);
      }
}

void ProductTile::store(FunctionEmitter &f, Value thread, ValueRange sums, Value shared) const {
  forEachPair(f, thread, sums, [&](Value row, Value column, Value pair) {
    Value place = f.add(f.mul(row, resultStride()), column);
    f.store(pair, device::sharedOffset(f, shared, f.mul(place, 4)));
  });
}

} // namespace kiln::passes
