// How operations that move or make elements are read at coordinates (ElementEmitter).
#include "ir/KilnDialect.h"
#include "passes/cpu/ElementEmitter.h"
#include "passes/cpu/ViewReshape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace kiln::passes {
namespace {

ArrayRef<Dim> dimsOf(Operation *op, StringRef attribute) {
  return op->getAttrOfType<ir::DimsAttr>(attribute).getDims();
}
ArrayRef<int64_t> integersOf(Operation *op, StringRef attribute) {
  return op->getAttrOfType<DenseI64ArrayAttr>(attribute).asArrayRef();
}

} // namespace

Value emitLanes(FunctionEmitter &f, Value tensor, const Coords &at,
                llvm::function_ref<Value(const Coords &)> scalar) {
  auto coordsOf = [&](Value lane) {
    Coords one;
    one.index = at.index;
    one.index[at.laneAxis] = f.add(at.index[at.laneAxis], f.mul(lane, at.laneStep));
    return one;
  };
  if (f.isOnDevice()) { // few lanes, and no registers by number
    SmallVector<Value> lanes;
    for (int64_t lane = 0; lane < f.lanes(); ++lane)
      lanes.push_back(scalar(coordsOf(f.constant(lane))));
    return vector::FromElementsOp::create(f.b, f.vec(lanes[0].getType()), lanes);
  }
  Type element = computeType(f, ElementEmitter::typeOf(tensor).dtype);
  Value init = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(element)));
  auto lanes =
      f.fold(f.constant(0), f.constant(f.lanes()), f.constant(1), init,
             [&](Value lane, ValueRange carried) -> SmallVector<Value> {
               Coords one = coordsOf(lane);
               Value index = arith::IndexCastOp::create(f.b, f.b.getIndexType(), lane);
               auto insert = [&] {
                 return vector::InsertOp::create(f.b, scalar(one), carried[0], OpFoldResult(index));
               };
               if (!at.mask)
                 return {insert()};
               Value on = vector::ExtractOp::create(f.b, at.mask, OpFoldResult(index));
               auto branch =
                   scf::IfOp::create(f.b, carried[0].getType(), on, /*withElseRegion=*/true);
               OpBuilder::InsertionGuard guard(f.b);
               f.b.setInsertionPointToStart(&branch.getThenRegion().front());
               scf::YieldOp::create(f.b, Value(insert()));
               f.b.setInsertionPointToStart(&branch.getElseRegion().front());
               scf::YieldOp::create(f.b, carried[0]);
               return {branch.getResult(0)};
             });
  return lanes[0];
}

namespace {

Value emitBroadcastTo(ElementEmitter &elements, FunctionEmitter &f, Operation *op,
                      const Coords &at) {
  Value x = op->getOperand(0);
  return elements.emit(x, broadcastCoords(f, ElementEmitter::typeOf(x),
                                          ElementEmitter::typeOf(op->getResult(0)), at));
}

Value emitPermute(ElementEmitter &elements, FunctionEmitter &, Operation *op, const Coords &at) {
  Coords inner = at;
  for (auto [result, operand] : llvm::enumerate(integersOf(op, "axes"))) {
    inner.index[operand] = at.index[result];
    if (static_cast<int64_t>(result) == at.laneAxis)
      inner.laneAxis = operand;
  }
  return elements.emit(op->getOperand(0), inner);
}

Value emitSlice(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  Coords inner = at;
  ArrayRef<Dim> starts = dimsOf(op, "starts");
  ArrayRef<int64_t> steps = integersOf(op, "steps");
  for (size_t axis = 0; axis < at.index.size(); ++axis)
    inner.index[axis] = f.add(f.mul(at.index[axis], steps[axis]), f.dimValue(starts[axis]));
  if (at.isVector())
    inner.laneStep = at.laneStep * steps[at.laneAxis];
  return elements.emit(op->getOperand(0), inner);
}

/// Window i of an axis begins at i * stride, its elements are `dilation` apart.
Value emitWindows(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  auto number = [&](StringRef name) { return op->getAttrOfType<IntegerAttr>(name).getInt(); };
  const int64_t axis = number("axis"), stride = number("stride"), dilation = number("dilation");
  Coords inner = at;
  Value start = f.mul(at.index[axis], stride);
  inner.index[axis] = f.add(start, f.mul(at.index[axis + 1], dilation));
  inner.index.erase(inner.index.begin() + axis + 1);
  if (at.laneAxis > axis)
    inner.laneAxis = at.laneAxis - 1;
  if (at.laneAxis == axis)
    inner.laneStep = at.laneStep * stride;
  else if (at.laneAxis == axis + 1)
    inner.laneStep = at.laneStep * dilation;
  return elements.emit(op->getOperand(0), inner);
}

Value emitRebind(ElementEmitter &elements, FunctionEmitter &, Operation *op, const Coords &at) {
  return elements.emit(op->getOperand(0), at);
}

/// Up to as many operands a concat along the lanes is emitted twice: in vectors where all lanes are
/// of one operand, and one by one.
constexpr unsigned maxVectorPieces = 4;

Value emitConcat(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  auto inLanes = [&] {
    return emitLanes(f, op->getResult(0), at,
                     [&](const Coords &one) { return emitConcat(elements, f, op, one); });
  };
  if (at.laneAxis == axis && op->getNumOperands() > maxVectorPieces)
    return inLanes();
  DType dtype = ElementEmitter::typeOf(op->getResult(0)).dtype;
  Type element = computeType(f, dtype);
  Type type = at.isVector() ? Type(f.vec(element)) : element;
  // Piece by piece: this one if the index is below its end, else the rest.
  std::function<Value(unsigned, Value)> piece = [&](unsigned number, Value index) -> Value {
    Value operand = op->getOperand(number);
    Coords inner = at;
    inner.index[axis] = index;
    if (number + 1 == op->getNumOperands())
      return elements.emit(operand, inner);
    Value size = f.dimValue(ElementEmitter::typeOf(operand).shape[axis]);
    auto branch = scf::IfOp::create(f.b, type, f.lessThan(index, size), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&branch.getThenRegion().front());
    scf::YieldOp::create(f.b, elements.emit(operand, inner));
    f.b.setInsertionPointToStart(&branch.getElseRegion().front());
    // The difference is not negative here. Said once more, it is no sum of all sizes before to
    // LLVM: its LoopStrengthReduce takes time exponential in their number.
    Value rest = f.max(f.sub(index, size), f.constant(0));
    scf::YieldOp::create(f.b, piece(number + 1, rest));
    return branch.getResult(0);
  };
  if (at.laneAxis != axis)
    return piece(0, at.index[axis]);
  // Whether an operand ends between the first lane and the last.
  Value first = at.index[axis], last = f.add(first, (f.lanes() - 1) * at.laneStep);
  Value end = f.constant(0), isCut = arith::ConstantIntOp::create(f.b, 0, 1);
  for (Value operand : op->getOperands().drop_back()) {
    end = f.add(end, f.dimValue(ElementEmitter::typeOf(operand).shape[axis]));
    Value here =
        arith::AndIOp::create(f.b, f.lessThan(first, end), f.lessThan(end, f.add(last, 1)));
    isCut = arith::OrIOp::create(f.b, isCut, here);
  }
  auto branch = scf::IfOp::create(f.b, type, isCut, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(f.b);
  f.b.setInsertionPointToStart(&branch.getThenRegion().front());
  scf::YieldOp::create(f.b, inLanes());
  f.b.setInsertionPointToStart(&branch.getElseRegion().front());
  scf::YieldOp::create(f.b, piece(0, first));
  return branch.getResult(0);
}

Value emitGatherOp(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  Value table = op->getOperand(0), indices = op->getOperand(1);
  int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  int64_t rank = ElementEmitter::typeOf(indices).rank();
  if (at.isVector() && at.laneAxis >= axis && at.laneAxis < axis + rank)
    return emitLanes(f, table, at,
                     [&](const Coords &one) { return emitGatherOp(elements, f, op, one); });
  Coords where;
  where.index.append(at.index.begin() + axis, at.index.begin() + axis + rank);
  Value row = toIndex(f, elements.emit(indices, where), ElementEmitter::typeOf(indices).dtype);
  // Of a part of a table: a row of another rank is read as the first one, and then is zeros.
  Value isHere;
  if (op->hasAttr("total")) {
    Value rows = f.dimValue(ElementEmitter::typeOf(table).shape[axis]);
    row = f.sub(row, f.mul(f.rank(), rows));
    isHere = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, row, rows);
    row = arith::SelectOp::create(f.b, isHere, row, f.constant(0));
  } else {
    row = f.safeIndex(row, f.dimValue(ElementEmitter::typeOf(table).shape[axis]));
  }
  Coords inner = at;
  inner.index.assign(at.index.begin(), at.index.begin() + axis);
  inner.index.push_back(row);
  inner.index.append(at.index.begin() + axis + rank, at.index.end());
  if (at.laneAxis >= axis)
    inner.laneAxis = at.laneAxis - rank + 1;
  Value value = elements.emit(table, inner);
  if (!isHere)
    return value;
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(value.getType()));
  return arith::SelectOp::create(f.b, isHere, value, zero);
}

/// The rank's part begins behind those of the ranks before it.
Value emitLocalSlice(ElementEmitter &elements, FunctionEmitter &f, Operation *op,
                     const Coords &at) {
  int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  Value size = f.dimValue(ElementEmitter::typeOf(op->getResult(0)).shape[axis]);
  Coords inner = at;
  inner.index[axis] = f.add(at.index[axis], f.mul(f.rank(), size));
  return elements.emit(op->getOperand(0), inner);
}

/// Each lane has an index of its own.
Value emitGatherElements(ElementEmitter &elements, FunctionEmitter &f, Operation *op,
                         const Coords &at) {
  Value x = op->getOperand(0), indices = op->getOperand(1);
  if (at.isVector())
    return emitLanes(f, x, at,
                     [&](const Coords &one) { return emitGatherElements(elements, f, op, one); });
  Coords inner = at;
  int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  Value index = toIndex(f, elements.emit(indices, at), ElementEmitter::typeOf(indices).dtype);
  inner.index[axis] = f.safeIndex(index, f.dimValue(ElementEmitter::typeOf(x).shape[axis]));
  return elements.emit(x, inner);
}

/// An i64 (scalar, or one for each lane) as a value of `dtype`.
Value fromIndex(FunctionEmitter &f, Value index, DType dtype) {
  return emitCast(f, index, DType::int64, dtype);
}

Value emitIota(ElementEmitter &, FunctionEmitter &f, Operation *op, const Coords &at) {
  DType dtype = ElementEmitter::typeOf(op->getResult(0)).dtype;
  Value index = at.index[0];
  if (at.isVector()) {
    SmallVector<int64_t> steps;
    for (int64_t lane = 0; lane < f.lanes(); ++lane)
      steps.push_back(lane * at.laneStep);
    Value lanes = arith::ConstantOp::create(f.b, f.b.getI64VectorAttr(steps));
    index = arith::AddIOp::create(f.b, f.splat(index), lanes);
  }
  auto like = [&](Value scalar) { return at.isVector() ? f.splat(scalar) : scalar; };
  Attribute start = op->getAttr("start"), step = op->getAttr("step");
  if (auto integer = dyn_cast<IntegerAttr>(start)) {
    Value scaled =
        arith::MulIOp::create(f.b, index, like(f.constant(cast<IntegerAttr>(step).getInt())));
    Value moved = arith::AddIOp::create(f.b, scaled, like(f.constant(integer.getInt())));
    return fromIndex(f, moved, dtype);
  }
  // Floats are computed in double, as the interpreter does, and rounded once.
  auto number = [&](Attribute value) {
    return like(arith::ConstantOp::create(
        f.b, f.b.getF64FloatAttr(cast<FloatAttr>(value).getValueAsDouble())));
  };
  Value position = emitCast(f, index, DType::int64, DType::float64);
  Value product = arith::MulFOp::create(f.b, position, number(step));
  Value sum = arith::AddFOp::create(f.b, product, number(start));
  return emitCast(f, sum, DType::float64, dtype);
}

Value emitSize(ElementEmitter &, FunctionEmitter &f, Operation *op, const Coords &) {
  return f.dimValue(dimsOf(op, "dim").front());
}

Value emitConstant(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  auto value = cast<DenseElementsAttr>(op->getAttr("value"));
  TensorType type = ElementEmitter::typeOf(op->getResult(0));
  Type element = storageType(f, type.dtype);
  bool isFloat = isa<FloatType>(value.getElementType());
  auto bits = [&](auto item) -> APInt {
    if constexpr (std::is_same_v<decltype(item), APFloat>)
      return item.bitcastToAPInt();
    else
      return item.getBitWidth() == 1 ? item.zext(8) : item;
  };
  SmallVector<APInt> items;
  int64_t count = value.isSplat() ? 1 : value.getNumElements();
  if (value.getNumElements() == 0)
    count = 0;
  for (int64_t i = 0; i < count; ++i)
    items.push_back(isFloat ? bits(value.getValues<APFloat>()[i])
                            : bits(value.getValues<APInt>()[i]));
  Type integer = f.b.getIntegerType(items.empty() ? 8 : items.front().getBitWidth());
  if (items.size() == 1) {
    Value scalar = arith::ConstantOp::create(f.b, IntegerAttr::get(integer, items.front()));
    if (element != integer)
      scalar = arith::BitcastOp::create(f.b, element, scalar);
    return loadConvert(f, scalar, type.dtype);
  }
  // More than one element: a table in the image's read-only data.
  auto tensor = RankedTensorType::get({count}, integer);
  auto contents = DenseElementsAttr::get(tensor, items);
  // By its contents, so that equal modules have equal text.
  auto raw = contents.getRawData();
  uint64_t hash =
      llvm::xxh3_64bits(ArrayRef(reinterpret_cast<const uint8_t *>(raw.data()), raw.size()));
  std::string name = llvm::formatv("constant_{0}x{1}_{2:x-16}", count, integer, hash);
  Operation *module = f.isOnDevice() ? f.lowering.deviceModule : f.lowering.module.getOperation();
  if (!SymbolTable::lookupSymbolIn(module, name)) {
    OpBuilder::InsertionGuard guard(f.b);
    f.b.setInsertionPointToStart(&module->getRegion(0).front());
    auto global = LLVM::GlobalOp::create(f.b, LLVM::LLVMArrayType::get(integer, count),
                                         /*isConstant=*/true, LLVM::Linkage::Private, name,
                                         contents, /*alignment=*/64);
    global.setDsoLocal(true);
  }
  Value pointer = LLVM::AddressOfOp::create(f.b, f.ptr(), name);
  return elements.loadAt(pointer, type, at);
}

Value emitCastOp(ElementEmitter &elements, FunctionEmitter &f, Operation *op, const Coords &at) {
  Value x = op->getOperand(0);
  return emitCast(f, elements.emit(x, at), ElementEmitter::typeOf(x).dtype,
                  ElementEmitter::typeOf(op->getResult(0)).dtype);
}

} // namespace

ViewEmitter findViewEmitter(StringRef op) {
  static const llvm::StringMap<ViewEmitter> table = {
      {"broadcast_to", emitBroadcastTo},
      {"permute", emitPermute},
      {"slice", emitSlice},
      {"windows", emitWindows},
      {"reshape", emitReshape},
      {"rebind", emitRebind},
      {"concat", emitConcat},
      {"gather", emitGatherOp},
      {"local_slice", emitLocalSlice},
      {"dequantize", emitDequantize},
      {"gather_elements", emitGatherElements},
      {"iota", emitIota},
      {"size", emitSize},
      {"constant", emitConstant},
      {"cast", emitCastOp},
  };
  return table.lookup(op);
}

} // namespace kiln::passes
