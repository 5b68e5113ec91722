#include "passes/gpu/TileOperands.h"

#include "passes/gpu/TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Emits with vectors of so many elements until the end of its scope.
struct LaneScope {
  LaneScope(FunctionEmitter &f, int64_t lanes) : f(f), before(f.lanes()) { f.setLanes(lanes); }
  ~LaneScope() { f.setLanes(before); }
  FunctionEmitter &f;
  int64_t before;
};

int64_t chunkElements(DType dtype) {
  return ProductTile::chunkBytes / static_cast<int64_t>(sizeBytes(dtype));
}

Value both(FunctionEmitter &f, Value x, Value y) { return arith::AndIOp::create(f.b, x, y); }

} // namespace

bool isWholeChunks(const Dim &elements, DType dtype) {
  Dim count = chunkElements(dtype);
  return elements / count * count == elements;
}

TileOperand rowsInMemory(FunctionEmitter &f, DType dtype, const Dim &depth,
                         std::function<RowPlace(Value)> place) {
  TileOperand operand;
  operand.prepare = [place](Value row) -> SmallVector<Value> {
    RowPlace found = place(row);
    return {found.address, found.isThere};
  };
  operand.load = [&f, dtype, depth](ValueRange prepared, Value column, Value shared) {
    Value inside = both(f, prepared[1], f.lessThan(column, f.dimValue(depth)));
    device::copyAsync(f, shared, f.offset(prepared[0], column, sizeBytes(dtype)), inside);
  };
  operand.read = [&f, dtype](ValueRange prepared, Value column) {
    LaneScope lanes(f, chunkElements(dtype));
    Value from = f.offset(prepared[0], column, sizeBytes(dtype));
    return loadConvert(f, f.load(f.vec(storageType(f, dtype)), from), dtype);
  };
  return operand;
}

TileOperand rowsInTiles(FunctionEmitter &f, DType dtype, int64_t depth, int64_t tileBytes,
                        Value firstRow, Value rows, std::function<Value(Value)> place) {
  constexpr int64_t chunks = 8; // of a row of a tile
  TileOperand operand;
  operand.prepare = [&f, firstRow, rows, place](Value row) -> SmallVector<Value> {
    Value number = f.add(firstRow, row);
    return {place(number), f.lessThan(number, rows), f.rem(number, f.constant(chunks))};
  };
  auto addressOf = [&f, dtype, tileBytes](ValueRange prepared, Value column) {
    Value chunk = f.div(column, f.constant(chunkElements(dtype)));
    Value swapped = arith::XOrIOp::create(f.b, f.rem(chunk, f.constant(chunks)), prepared[2]);
    Value offset = f.add(f.mul(f.div(chunk, f.constant(chunks)), tileBytes),
                         f.mul(swapped, ProductTile::chunkBytes));
    return f.offsetBytes(prepared[0], offset);
  };
  operand.load = [&f, depth, addressOf](ValueRange prepared, Value column, Value shared) {
    Value inside = both(f, prepared[1], f.lessThan(column, f.constant(depth)));
    device::copyAsync(f, shared, addressOf(prepared, column), inside);
  };
  operand.read = [&f, dtype, addressOf](ValueRange prepared, Value column) {
    LaneScope lanes(f, chunkElements(dtype));
    Value chunk = f.load(f.vec(storageType(f, dtype)), addressOf(prepared, column));
    return loadConvert(f, chunk, dtype);
  };
  return operand;
}

namespace {
/// Stores a chunk of computed elements of which those with `isInside(i)` are there: all or none
/// where they come `whole`, with `all()`, else one by one, with `one(i)`.
void storeChunk(FunctionEmitter &f, DType from, DType dtype, bool whole, Value shared,
                llvm::function_ref<Value(int64_t)> isInside, llvm::function_ref<Value()> all,
                llvm::function_ref<Value(int64_t)> one) {
  LaneScope lanes(f, chunkElements(dtype));
  Type computed = computeType(f, from);
  Value chunk;
  if (whole) {
    chunk = emitOrZero(f, f.vec(computed), isInside(0), all);
  } else {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < f.lanes(); ++i)
      elements.push_back(emitOrZero(f, computed, isInside(i), [&] {
        LaneScope single(f, 1);
        return one(i);
      }));
    chunk = vector::FromElementsOp::create(f.b, f.vec(computed), elements);
  }
  f.store(storeConvert(f, chunk, dtype), shared);
}

/// `element(x, y)` as a vector.
Value asVector(FunctionEmitter &f, const std::function<Value(Value, Value)> &element, Value x,
               Value y) {
  Value value = element(x, y);
  return isa<VectorType>(value.getType()) ? value : f.splat(value);
}
} // namespace

TileOperand computedRows(FunctionEmitter &f, DType from, DType dtype, const Dim &depth,
                         Value firstRow, Value rows, std::function<Value(Value, Value)> element) {
  const bool whole = isWholeChunks(depth, dtype);
  TileOperand operand;
  operand.prepare = [&f, firstRow, rows](Value row) -> SmallVector<Value> {
    Value number = f.add(firstRow, row);
    return {number, f.lessThan(number, rows)};
  };
  operand.read = [&f, dtype, element](ValueRange prepared, Value column) {
    LaneScope lanes(f, chunkElements(dtype));
    return asVector(f, element, prepared[0], column);
  };
  operand.load = [&f, from, dtype, depth, whole, element](ValueRange prepared, Value column,
                                                          Value shared) {
    Value row = prepared[0];
    storeChunk(
        f, from, dtype, whole, shared,
        [&](int64_t i) {
          return both(f, prepared[1], f.lessThan(f.add(column, i), f.dimValue(depth)));
        },
        [&] { return asVector(f, element, row, column); },
        [&](int64_t i) { return element(row, f.add(column, i)); });
  };
  return operand;
}

TileOperand matrixInMemory(FunctionEmitter &f, DType dtype, const Dim &depth, const Dim &columns,
                           Value matrix, Value firstColumn) {
  TileOperand operand;
  operand.isAcross = true;
  operand.prepare = [=, &f](Value column) -> SmallVector<Value> {
    Value number = f.add(firstColumn, column);
    return {f.offset(matrix, number, sizeBytes(dtype)), f.lessThan(number, f.dimValue(columns))};
  };
  operand.load = [&f, dtype, depth, columns](ValueRange prepared, Value k, Value shared) {
    Value inside = both(f, prepared[1], f.lessThan(k, f.dimValue(depth)));
    Value bytes = f.mul(f.mul(k, f.dimValue(columns)), sizeBytes(dtype));
    device::copyAsync(f, shared, f.offsetBytes(prepared[0], bytes), inside);
  };
  return operand;
}

TileOperand computedMatrix(FunctionEmitter &f, DType from, DType dtype, const Dim &depth,
                           const Dim &columns, Value firstColumn,
                           std::function<Value(Value, Value)> element) {
  const bool whole = isWholeChunks(columns, dtype);
  TileOperand operand;
  operand.isAcross = true;
  operand.prepare = [&f, firstColumn](Value column) -> SmallVector<Value> {
    return {f.add(firstColumn, column)};
  };
  operand.load = [=, &f](ValueRange prepared, Value k, Value shared) {
    Value column = prepared[0], isRow = f.lessThan(k, f.dimValue(depth));
    storeChunk(
        f, from, dtype, whole, shared,
        [&](int64_t i) {
          return both(f, isRow, f.lessThan(f.add(column, i), f.dimValue(columns)));
        },
        [&] { return asVector(f, element, k, column); },
        [&](int64_t i) { return element(k, f.add(column, i)); });
  };
  return operand;
}

} // namespace kiln::passes
