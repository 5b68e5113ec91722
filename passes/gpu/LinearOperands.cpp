#include "passes/gpu/LinearOperands.h"

#include "passes/cpu/KernelForms.h"
#include "passes/gpu/WarpgroupTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {

LinearOperands::LinearOperands(Kernel &kernel, ir::LinearOp linear)
    : kernel(kernel), linear(linear) {
  TensorType x = ElementEmitter::typeOf(linear.getX());
  leading.assign(x.shape.begin(), x.shape.end() - 1);
  depth = x.shape[-1].value();
  for (const Dim &dim : leading)
    rows = rows * dim;
  dtype = x.dtype;
  for (Value weight : linear.getWeights())
    if (ElementEmitter::typeOf(weight).dtype != dtype)
      dtype = DType::float32;
}

void LinearOperands::packWeights(ArrayRef<unsigned> inTiles) {
  if (hasPackedWeights(linear))
    return;
  auto setPacking = [&](unsigned argument, const std::string &packing) {
    kernel.function.setArgAttr(argument, packingAttrName,
                               StringAttr::get(linear.getContext(), packing));
  };
  if (!linear.getTransposed())
    for (unsigned i = 0; i < linear.getWeights().size(); ++i)
      setPacking(argumentOf(i).getArgNumber(), "columns:1"); // panels of one: [N, K]
  for (unsigned index : inTiles) {
    argumentsInTiles.push_back(argumentOf(index).getArgNumber());
    setPacking(argumentsInTiles.back(), (linear.getTransposed() ? "row-tiles:" : "column-tiles:") +
                                            std::to_string(WarpgroupTile::shape.columns));
  }
}

Value LinearOperands::weightTile(FunctionEmitter &f, Value buffer, Value number) {
  Value tileRows = f.constant(WarpgroupTile::shape.columns);
  const int64_t bytes = WarpgroupTile::stepsOf(depth) * WarpgroupTile::weightBytes;
  Value tile = f.mul(f.div(number, tileRows), bytes);
  return f.offsetBytes(buffer,
                       f.add(tile, f.mul(f.rem(number, tileRows), WarpgroupTile::rowBytes)));
}

Value LinearOperands::rowsOfX() {
  Value value = linear.getX();
  while (isa_and_present<ir::ReshapeOp, ir::RebindOp>(value.getDefiningOp())) {
    Value source = value.getDefiningOp()->getOperand(0);
    TensorType type = ElementEmitter::typeOf(source);
    if (type.rank() == 0 || !(type.shape[-1] == Dim(depth)))
      break;
    value = source;
  }
  return value;
}

TileOperand LinearOperands::x(FunctionEmitter &f, Value firstRow, Value rows) {
  Value source = rowsOfX();
  const int64_t rowBytes = depth * sizeBytes(dtype);
  auto isRows = [&](Value value) {
    return isa<BlockArgument>(value) && ElementEmitter::typeOf(value).dtype == dtype && isWhole();
  };
  auto isThere = [&f, firstRow, rows](Value row) { return f.lessThan(f.add(firstRow, row), rows); };
  if (isRows(source)) {
    Value base = f.buffer(cast<BlockArgument>(source).getArgNumber());
    return rowsInMemory(f, dtype, depth, [=, &f](Value row) -> RowPlace {
      return {f.offsetBytes(base, f.mul(f.add(firstRow, row), rowBytes)), isThere(row)};
    });
  }
  auto gather = source.getDefiningOp<ir::GatherOp>();
  if (gather && gather.getAxis() == 0 && !gather->hasAttr("total") && isRows(gather.getTable()) &&
      ElementEmitter::typeOf(gather.getTable()).rank() == 2) {
    Value base = f.buffer(cast<BlockArgument>(gather.getTable()).getArgNumber());
    Value indices = gather.getIndices();
    Dim entries = ElementEmitter::typeOf(gather.getTable()).shape[0];
    return rowsInMemory(f, dtype, depth, [=, this, &f](Value row) -> RowPlace {
      Value there = isThere(row);
      Value index = emitOrZero(f, f.i64(), there, [&] {
        ElementEmitter elements(f);
        elements.provideArguments(kernel.body());
        TensorType type = ElementEmitter::typeOf(indices);
        Coords at;
        at.index = emitRowCoords(f, type.shape.vec(), f.add(firstRow, row));
        return toIndex(f, elements.emit(indices, at), type.dtype);
      });
      index = f.safeIndex(index, f.dimValue(entries));
      return {f.offsetBytes(base, f.mul(index, rowBytes)), there};
    });
  }
  TensorType type = ElementEmitter::typeOf(linear.getX());
  return computedRows(f, type.dtype, dtype, Dim(depth), firstRow, rows,
                      [=, this, &f](Value row, Value column) {
                        ElementEmitter elements(f);
                        elements.provideArguments(kernel.body());
                        Coords at;
                        at.index = emitRowCoords(f, leading, row);
                        at.index.push_back(column);
                        if (f.lanes() > 1)
                          at.laneAxis = leading.size();
                        return elements.emit(linear.getX(), at);
                      });
}

BlockArgument LinearOperands::argumentOf(unsigned index) {
  Value weight = linear.getWeights()[index];
  auto decode = weight.getDefiningOp<ir::DequantizeOp>();
  return cast<BlockArgument>(decode ? decode->getOperand(0) : weight);
}

bool LinearOperands::areAlike(unsigned index, unsigned other) {
  auto encodingOf = [&](unsigned weight) {
    Operation *decode = linear.getWeights()[weight].getDefiningOp();
    return decode ? decode->getAttr("encoding") : Attribute();
  };
  auto dtypeOf = [&](unsigned weight) {
    return ElementEmitter::typeOf(linear.getWeights()[weight]).dtype;
  };
  return encodingOf(index) == encodingOf(other) && dtypeOf(index) == dtypeOf(other);
}

Value LinearOperands::weight(FunctionEmitter &f, unsigned index) {
  return f.buffer(argumentOf(index).getArgNumber());
}

TileOperand LinearOperands::weightRows(FunctionEmitter &f, unsigned index, Value buffer,
                                       Value firstRow, Value rows) {
  if (llvm::is_contained(argumentsInTiles, argumentOf(index).getArgNumber()))
    return rowsInTiles(f, dtype, depth, WarpgroupTile::weightBytes, firstRow, rows,
                       [=, this, &f](Value number) { return weightTile(f, buffer, number); });
  Value value = linear.getWeights()[index];
  DType stored = ElementEmitter::typeOf(value).dtype;
  if (value.getDefiningOp()) // packed: decoded on the way
    return computedRows(f, stored, dtype, Dim(depth), firstRow, rows,
                        [=, this, &f](Value row, Value column) {
                          ElementEmitter elements(f);
                          BlockArgument packed = argumentOf(index);
                          TensorType type = ElementEmitter::typeOf(packed);
                          elements.provide(packed, [&elements, buffer, type](const Coords &at) {
                            return elements.loadAt(buffer, type, at);
                          });
                          Coords at;
                          at.index = {row, column};
                          at.laneAxis = f.lanes() > 1 ? 1 : -1;
                          return elements.emit(value, at);
                        });
  if (stored == dtype && isWhole())
    return rowsInMemory(f, dtype, depth, [=, this, &f](Value row) -> RowPlace {
      Value number = f.add(firstRow, row);
      Value bytes = f.mul(number, depth * static_cast<int64_t>(sizeBytes(dtype)));
      return {f.offsetBytes(buffer, bytes), f.lessThan(number, rows)};
    });
  return computedRows(f, stored, dtype, Dim(depth), firstRow, rows,
                      [=, this, &f](Value row, Value column) {
                        ElementEmitter elements(f);
                        TensorType type(stored, Shape{depth});
                        Coords at;
                        at.index = {column};
                        at.laneAxis = f.lanes() > 1 ? 0 : -1;
                        Value start = f.mul(row, depth * static_cast<int64_t>(sizeBytes(stored)));
                        return elements.loadAt(f.offsetBytes(buffer, start), type, at);
                      });
}

} // namespace kiln::passes
