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

TileOperand rowsInMemory(FunctionEmitter &f, DType dtype, int64_t depth,
                         std::function<RowPlace(Value)> place) {
  TileOperand operand;
  operand.prepare = [place](Value row) -> SmallVector<Value> {
    RowPlace found = place(row);
    return {found.address, found.isThere};
  };
  operand.load = [&f, dtype, depth](ValueRange prepared, Value column, Value shared) {
    Value inside = both(f, prepared[1], f.lessThan(column, f.constant(depth)));
    device::copyAsync(f, shared, f.offset(prepared[0], column, sizeBytes(dtype)), inside);
  };
  operand.read = [&f, dtype](ValueRange prepared, Value column) {
    LaneScope lanes(f, chunkElements(dtype));
    Value from = f.offset(prepared[0], column, sizeBytes(dtype));
    return loadConvert(f, f.load(f.vec(storageType(f, dtype)), from), dtype);
  };
  return operand;
}

TileOperand computedRows(FunctionEmitter &f, DType from, DType dtype, const Dim &depth,
                         Value firstRow, Value rows, std::function<Value(Value, Value)> element) {
  const int64_t count = chunkElements(dtype);
  const bool whole = depth.isStatic() && depth.value() % count == 0;
  TileOperand operand;
  operand.prepare = [&f, firstRow, rows](Value row) -> SmallVector<Value> {
    Value number = f.add(firstRow, row);
    return {number, f.lessThan(number, rows)};
  };
  auto vectorOf = [&f, element](Value row, Value column) {
    Value value = element(row, column);
    return isa<VectorType>(value.getType()) ? value : f.splat(value);
  };
  operand.read = [&f, count, vectorOf](ValueRange prepared, Value column) {
    LaneScope lanes(f, count);
    return vectorOf(prepared[0], column);
  };
  operand.load = [&f, from, dtype, depth, count, whole, element,
                  vectorOf](ValueRange prepared, Value column, Value shared) {
    LaneScope lanes(f, count);
    Type computed = computeType(f, from);
    auto isInside = [&](Value at) {
      return both(f, prepared[1], f.lessThan(at, f.dimValue(depth)));
    };
    Value chunk;
    if (whole) {
      chunk = emitOrZero(f, f.vec(computed), isInside(column),
                         [&] { return vectorOf(prepared[0], column); });
    } else {
      SmallVector<Value> elements;
      for (int64_t i = 0; i < count; ++i) {
        Value at = f.add(column, i);
        elements.push_back(emitOrZero(f, computed, isInside(at), [&] {
          LaneScope single(f, 1);
          return element(prepared[0], at);
        }));
      }
      chunk = vector::FromElementsOp::create(f.b, f.vec(computed), elements);
    }
    f.store(storeConvert(f, chunk, dtype), shared);
  };
  return operand;
}

} // namespace kiln::passes
