#include "passes/cpu/ElementEmitter.h"

#include "ir/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {

TensorType ElementEmitter::typeOf(Value tensor) { return ir::toTensorType(tensor.getType()); }

void ElementEmitter::provide(Value tensor, Provider provider) {
  providers.emplace_back(tensor, std::move(provider));
}

void ElementEmitter::provideArguments(Block &kernelBody) {
  for (BlockArgument argument : kernelBody.getArguments()) {
    Value pointer = f.buffer(argument.getArgNumber());
    TensorType type = typeOf(argument);
    provide(argument,
            [this, pointer, type](const Coords &at) { return loadAt(pointer, type, at); });
  }
}

Value ElementEmitter::loadAt(Value pointer, const TensorType &type, const Coords &at) {
  // Row-major offset of the first lane, and the distance of lanes, in elements.
  Value offset = f.constant(0);
  Value laneStride;
  bool contiguous = at.isVector() && at.laneStep == 1 && at.laneAxis == type.rank() - 1;
  Dim stride = 1;
  for (int64_t axis = type.rank() - 1; axis >= 0; --axis) {
    if (!(type.shape[axis] == Dim(1)) || axis == at.laneAxis) {
      Value strideValue = f.dimValue(stride);
      offset = f.add(offset, f.mul(at.index[axis], strideValue));
      if (axis == at.laneAxis && !contiguous)
        laneStride = f.mul(strideValue, at.laneStep);
    }
    stride = stride * type.shape[axis];
  }
  int64_t bytes = sizeBytes(type.dtype);
  Type element = storageType(f, type.dtype);
  Value address = f.offset(pointer, offset, bytes);
  if (!at.isVector())
    return loadConvert(f, f.load(element, address), type.dtype);
  if (contiguous)
    return loadConvert(f, f.maskedLoad(f.vec(element), address, at.mask), type.dtype);

  Value ids = arith::ConstantOp::create(f.b, [&] {
    SmallVector<int64_t> lanes(f.lanes());
    std::iota(lanes.begin(), lanes.end(), 0);
    return f.b.getI64VectorAttr(lanes);
  }());
  Value offsets = arith::MulIOp::create(f.b, ids, f.splat(laneStride));
  return loadConvert(f, emitGather(f, address, element, offsets, at.mask), type.dtype);
}

Value emitGather(FunctionEmitter &f, Value pointer, Type element, Value offsets, Value mask) {
  // Lane by lane: hardware gathers are no faster than loads on the CPUs at hand, and x86-64-v2 has
  // none.
  Value result = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(element)));
  int64_t bytes = std::max(1u, element.getIntOrFloatBitWidth() / 8);
  for (int64_t lane = 0; lane < f.lanes(); ++lane) {
    Value offset = vector::ExtractOp::create(f.b, offsets, lane);
    if (mask) { // a masked lane reads the first element instead: lane 0 is always on
      Value on = vector::ExtractOp::create(f.b, mask, lane);
      Value first = vector::ExtractOp::create(f.b, offsets, 0);
      offset = arith::SelectOp::create(f.b, on, offset, first);
    }
    Value loaded = f.load(element, f.offset(pointer, offset, bytes));
    result = vector::InsertOp::create(f.b, loaded, result, lane);
  }
  return result;
}

void ElementEmitter::storeAt(Value computed, DType dtype, Value pointer, Value mask) {
  Value stored = storeConvert(f, computed, dtype);
  if (isa<VectorType>(stored.getType()))
    f.maskedStore(stored, pointer, mask);
  else
    f.store(stored, pointer);
}

static bool sameCoords(const Coords &x, const Coords &y) {
  return x.index == y.index && x.laneAxis == y.laneAxis && x.laneStep == y.laneStep &&
         x.mask == y.mask;
}

Value ElementEmitter::emitOnce(Value tensor, unsigned kind, const Coords &at,
                               llvm::function_ref<Value()> make) {
  Block *block = f.b.getInsertionBlock();
  for (const Memo &entry : memo)
    if (entry.block == block && entry.tensor == tensor && entry.kind == kind &&
        sameCoords(entry.at, at))
      return entry.value;
  Value value = make();
  memo.push_back({tensor, kind, at, value, block});
  return value;
}

Value ElementEmitter::emit(Value tensor, const Coords &at) {
  return emitOnce(tensor, /*kind=*/0, at, [&] {
    Value value = emitUncached(tensor, at);
    // A uniform value inside a vector.
    return at.isVector() && !isa<VectorType>(value.getType()) ? f.splat(value) : value;
  });
}

Value ElementEmitter::emitUncached(Value tensor, const Coords &at) {
  for (auto &[provided, provider] : providers)
    if (provided == tensor)
      return provider(at);
  Operation *op = tensor.getDefiningOp();
  assert(op && "a kernel operand that nobody provides");
  if (ViewEmitter view = findViewEmitter(op->getName().stripDialect()))
    return view(*this, f, op, at);

  // Elementwise: every operand at the coordinates that broadcasting gives it.
  TensorType type = typeOf(tensor);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(emit(operand, broadcastCoords(f, typeOf(operand), type, at)));
  for (Value &operand : operands) // operands that do not vary along the lanes
    if (at.isVector() && !isa<VectorType>(operand.getType()))
      operand = f.splat(operand);
  DType operandType = typeOf(op->getOperands().back()).dtype;
  return roundTo(f, emitElementwise(f, op->getName().stripDialect(), operandType, operands),
                 type.dtype);
}

Coords broadcastCoords(FunctionEmitter &f, const TensorType &operand, const TensorType &result,
                       const Coords &at) {
  int64_t missing = result.rank() - operand.rank();
  Coords inner;
  inner.laneStep = at.laneStep;
  for (int64_t axis = 0; axis < operand.rank(); ++axis) {
    int64_t outer = axis + missing;
    bool stretched = operand.shape[axis] == Dim(1) && !(result.shape[outer] == Dim(1));
    inner.index.push_back(stretched ? f.constant(0) : at.index[outer]);
    if (outer == at.laneAxis && !stretched)
      inner.laneAxis = axis;
  }
  if (inner.isVector())
    inner.mask = at.mask;
  else
    inner.laneStep = 1;
  return inner;
}

} // namespace kiln::passes
