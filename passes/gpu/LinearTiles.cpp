#include "passes/gpu/LinearTiles.h"

#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

static int64_t tilesAlong(int64_t columns, const TileShape &shape) {
  return (columns + shape.columns - 1) / shape.columns;
}

int64_t LinearTiles::columnsOf(const LinearForm::Group &group) const {
  ir::LinearOp op = linear;
  return ElementEmitter::typeOf(op->getResult(group.weights[0])).shape[-1].value();
}

int64_t LinearTiles::columnsOf(Groups groups) const {
  int64_t columns = 0;
  for (const LinearForm::Group &group : groups)
    columns += columnsOf(group);
  return columns;
}

int64_t LinearTiles::wideTilesOf(Groups groups, const TileShape &shape) const {
  int64_t tiles = 0;
  for (const LinearForm::Group &group : groups)
    tiles += tilesAlong(columnsOf(group), shape);
  return tiles;
}

Value LinearTiles::tallTilesOf(FunctionEmitter &f, const TileShape &shape, Value rows) {
  return f.max(f.ceilDiv(rows, f.constant(shape.rows)), f.constant(1));
}

Value LinearTiles::tilesOf(FunctionEmitter &f, Groups groups, const TileShape &shape,
                           Value rows) const {
  return f.mul(tallTilesOf(f, shape, rows), wideTilesOf(groups, shape));
}

int64_t LinearTiles::lanesOf(Groups groups) const {
  const int64_t lanes = 4;
  auto isWhole = [&](const LinearForm::Group &group) { return columnsOf(group) % lanes == 0; };
  return llvm::all_of(groups, isWhole) ? lanes : 1;
}

LinearTiles::Place LinearTiles::find(FunctionEmitter &f, Groups groups, const TileShape &shape,
                                     Value tile, Value rows) {
  Value tall = tallTilesOf(f, shape, rows);
  Value wide = f.div(tile, tall), firstTile = f.constant(0);
  Place place;
  place.group = f.constant(0);
  place.firstRow = f.mul(f.rem(tile, tall), shape.rows);
  place.columns = f.constant(columnsOf(groups[0]));
  for (unsigned index : groups[0].weights)
    place.weights.push_back(operands.weight(f, index));
  int64_t start = 0;
  for (size_t i = 1; i < groups.size(); ++i) {
    start += tilesAlong(columnsOf(groups[i - 1]), shape);
    Value isBehind = f.lessThan(f.constant(start - 1), wide);
    auto choose = [&](Value chosen, Value other) -> Value {
      return arith::SelectOp::create(f.b, isBehind, chosen, other);
    };
    place.group = choose(f.constant(i), place.group);
    firstTile = choose(f.constant(start), firstTile);
    place.columns = choose(f.constant(columnsOf(groups[i])), place.columns);
    place.weights[0] = choose(operands.weight(f, groups[i].weights[0]), place.weights[0]);
  }
  place.firstColumn = f.mul(f.sub(wide, firstTile), shape.columns);
  return place;
}

std::function<Value(int64_t, Value, Value)>
LinearTiles::inShared(FunctionEmitter &f, Value shared, int64_t slotBytes, int64_t stride) {
  return [=, &f](int64_t slot, Value row, Value column) {
    Value offset = f.mul(f.add(f.mul(row, stride), column), 4);
    Type type = f.lanes() > 1 ? Type(f.vec(f.f32())) : f.f32();
    return f.load(type, device::sharedOffset(f, shared, f.add(offset, slot * slotBytes)));
  };
}

void LinearTiles::forGroup(FunctionEmitter &f, Groups groups, const Place &place,
                           llvm::function_ref<void(const LinearForm::Group &)> body) {
  if (groups.size() == 1)
    return body(groups[0]);
  for (auto [i, group] : llvm::enumerate(groups))
    f.ifThen(f.equal(place.group, f.constant(i)), [&, &group = group] { body(group); });
}

void LinearTiles::emit(FunctionEmitter &f, Groups groups, const Place &place,
                       const TileShape &shape, Value first, Value step, Sums sums) {
  const int64_t vectors = shape.columns / f.lanes();
  forGroup(f, groups, place, [&](const LinearForm::Group &group) {
    f.loop(first, f.constant(shape.rows * vectors), step, [&](Value item) {
      Value row = f.div(item, f.constant(vectors));
      Value column = f.mul(f.rem(item, f.constant(vectors)), f.lanes());
      emitVector(f, group, place, row, column, sums);
    });
  });
}

void LinearTiles::emit(FunctionEmitter &f, Groups groups, const Place &place,
                       const ProductTile &tile, Value thread,
                       ArrayRef<SmallVector<Value>> products) {
  assert(f.lanes() == ProductTile::four);
  forGroup(f, groups, place, [&](const LinearForm::Group &group) {
    tile.forEachFour(f, thread, products, [&](Value row, Value column, ArrayRef<Value> fours) {
      emitVector(f, group, place, row, column,
                 [&](int64_t slot, Value, Value) { return fours[slot]; });
    });
  });
}

void LinearTiles::emitVector(FunctionEmitter &f, const LinearForm::Group &group, const Place &place,
                             Value row, Value column, Sums sums) {
  Value matrixRow = f.add(place.firstRow, row), matrixColumn = f.add(place.firstColumn, column);
  Value inside = arith::AndIOp::create(f.b, f.lessThan(matrixRow, f.extras[0]),
                                       f.lessThan(matrixColumn, f.constant(columnsOf(group))));
  f.ifThen(inside, [&] {
    ElementEmitter elements(f);
    elements.provideArguments(kernel.body());
    for (auto [slot, index] : llvm::enumerate(group.weights))
      elements.provide(linear.getResult(index),
                       [&, slot = static_cast<int64_t>(slot), index = index](const Coords &at) {
                         return result(f, elements, index, sums(slot, row, column), at);
                       });
    Coords at;
    at.index = emitRowCoords(f, operands.leading, matrixRow);
    at.index.push_back(matrixColumn);
    if (f.lanes() > 1)
      at.laneAxis = operands.leading.size();
    store(f, elements, group, matrixRow, at);
  });
}

/// Sum and bias, rounded to the result's dtype.
Value LinearTiles::result(FunctionEmitter &f, ElementEmitter &elements, unsigned index, Value sum,
                          const Coords &at) {
  if (!linear.getBiases().empty()) {
    Coords column;
    column.index = {at.index.back()};
    column.laneAxis = at.isVector() ? 0 : -1;
    sum = arith::AddFOp::create(f.b, sum, elements.emit(linear.getBiases()[index], column));
  }
  return roundTo(f, sum, ElementEmitter::typeOf(linear.getResult(index)).dtype);
}

/// All values first: a value may be read from where another is stored.
void LinearTiles::store(FunctionEmitter &f, ElementEmitter &elements,
                        const LinearForm::Group &group, Value row, const Coords &at) {
  SmallVector<Value> values;
  for (const LinearForm::Store &store : group.stores)
    values.push_back(elements.emit(store.value, at));
  Value position = f.add(f.mul(row, columnsOf(group)), at.index.back());
  for (auto [store, value] : llvm::zip(group.stores, values)) {
    DType dtype = ElementEmitter::typeOf(store.value).dtype;
    Value output = f.buffer(kernel.numOperands() + store.output);
    elements.storeAt(value, dtype, f.offset(output, position, sizeBytes(dtype)), /*mask=*/{});
  }
}

} // namespace kiln::passes
