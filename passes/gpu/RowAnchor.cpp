#include "passes/gpu/RowAnchor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace kiln::passes {

RowAnchor::RowAnchor(Kernel &kernel, Operation *op)
    : kernel(kernel), op(op), name(op->getName().stripDialect()),
      type(ElementEmitter::typeOf(op->getOperand(0))),
      resultType(ElementEmitter::typeOf(op->getResult(0))),
      axis(name == "layer_norm" ? type.rank() - 1
                                : op->getAttrOfType<IntegerAttr>("axis").getInt()) {
  for (auto [number, value] : llvm::enumerate(kernel.terminator()->getOperands()))
    stores.emplace_back(value, static_cast<unsigned>(number));
}

std::optional<Reduction> RowAnchor::reduction() const {
  return llvm::StringSwitch<std::optional<Reduction>>(name)
      .Cases({"sum", "mean"}, Reduction::sum)
      .Case("prod", Reduction::product)
      .Case("max", Reduction::max)
      .Case("min", Reduction::min)
      .Default(std::nullopt);
}

Value RowAnchor::finish(FunctionEmitter &f, Value combined) const {
  if (name == "mean") {
    Type element = getElementTypeOrSelf(combined.getType());
    Value size = arith::SIToFPOp::create(f.b, element, f.dimValue(type.shape[axis]));
    if (isa<VectorType>(combined.getType()))
      size = f.splat(size);
    combined = arith::DivFOp::create(f.b, combined, size);
  }
  return roundTo(f, combined, resultType.dtype);
}

SmallVector<Value> RowAnchor::better(FunctionEmitter &f, ValueRange x, ValueRange y) const {
  Value wins = emitElementwise(f, name == "argmax" ? "gt" : "lt", type.dtype, {y[0], x[0]});
  Value equal = emitElementwise(f, "eq", type.dtype, {y[0], x[0]});
  if (isFloat(type.dtype)) {
    Value xNan = emitElementwise(f, "is_nan", type.dtype, {x[0]});
    Value yNan = emitElementwise(f, "is_nan", type.dtype, {y[0]});
    Value onlyY = arith::AndIOp::create(
        f.b, yNan, arith::XOrIOp::create(f.b, xNan, arith::ConstantIntOp::create(f.b, 1, 1)));
    wins = arith::OrIOp::create(f.b, wins, onlyY);
    equal = arith::OrIOp::create(f.b, equal, arith::AndIOp::create(f.b, xNan, yNan));
  }
  Value earlier = arith::AndIOp::create(f.b, equal, f.lessThan(y[1], x[1]));
  wins = arith::OrIOp::create(f.b, wins, earlier);
  return {arith::SelectOp::create(f.b, wins, y[0], x[0]),
          arith::SelectOp::create(f.b, wins, y[1], x[1])};
}

void RowAnchor::provide(FunctionEmitter &f, ElementEmitter &elements) const {
  elements.provideArguments(kernel.body());
  if (!operandAt)
    return;
  Value memory = f.buffer(kernel.numOperands() + *operandAt);
  elements.provide(op->getOperand(0), [this, &elements, memory](const Coords &at) {
    return elements.loadAt(memory, type, at);
  });
}

Value RowAnchor::read(FunctionEmitter &f, const Coords &at) const {
  ElementEmitter elements(f);
  provide(f, elements);
  return elements.emit(op->getOperand(0), at);
}

void RowAnchor::store(FunctionEmitter &f, const Coords &at, Value value) const {
  ElementEmitter elements(f);
  provide(f, elements);
  elements.provide(op->getResult(0), [value](const Coords &) { return value; });
  // All values first: one may be read from where another is stored.
  SmallVector<Value> values;
  for (auto [result, number] : stores)
    values.push_back(elements.emit(result, at));
  for (auto [store, computed] : llvm::zip(stores, values)) {
    TensorType stored = ElementEmitter::typeOf(store.first);
    Value position = f.constant(0);
    for (int64_t i = 0; i < stored.rank(); ++i)
      position = f.add(f.mul(position, f.dimValue(stored.shape[i])), at.index[i]);
    Value output = f.buffer(kernel.numOperands() + store.second);
    elements.storeAt(computed, stored.dtype, f.offset(output, position, sizeBytes(stored.dtype)),
                     /*mask=*/{});
  }
}

void emitRowLauncher(ModuleLowering &lowering, Kernel &kernel, int64_t number,
                     ArrayRef<IndexCheck> checks, ArrayRef<Dim> outer, int64_t rowsPerBlock) {
  FunctionEmitter f = FunctionEmitter::launcher(lowering, kernel.function.getLoc(), kernel.name);
  Value rows = emitNumElements(f, outer);
  if (Value nothing = emitReadsNothing(f, checks))
    rows = arith::SelectOp::create(f.b, nothing, f.constant(0), rows);
  else
    f.returnIf(f.equal(rows, f.constant(0)), /*status=*/0);
  Value blocks = f.max(f.ceilDiv(rows, f.constant(rowsPerBlock)), f.constant(1));
  emitLaunch(f, kernel, number, blocks, {}, {}, rows);
  f.finish();
}

} // namespace kiln::passes
