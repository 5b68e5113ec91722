// Kernels around a reduction, a softmax or a layer_norm: one row (or column) after the other.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"
#include "passes/cpu/PackedRows.h"
#include "passes/cpu/RowReduce.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// Elements that make it worth waking a thread.
constexpr int64_t parallelElements = 32768;

struct RowKernel {
  ModuleLowering &lowering;
  Kernel &kernel;
  Operation *anchor = kernel.anchor;
  StringRef name = anchor->getName().stripDialect();
  Value x = anchor->getOperand(0);
  TensorType type = ElementEmitter::typeOf(x);
  TensorType resultType = ElementEmitter::typeOf(anchor->getResult(0));
  int64_t axis =
      name == "layer_norm" ? type.rank() - 1 : anchor->getAttrOfType<IntegerAttr>("axis").getInt();
  bool alongRows = axis == type.rank() - 1;

  /// The shape of the iteration: the operand's, without the reduced axis and, where lanes run
  /// across it, without the last one.
  SmallVector<Dim> outerDims() const {
    SmallVector<Dim> outer(type.shape.begin(), type.shape.end());
    outer[axis] = 1;
    outer.back() = 1;
    return outer;
  }
  bool keepsShape() const { return name == "softmax" || name == "layer_norm"; }

  std::optional<Reduction> reduction() const {
    return llvm::StringSwitch<std::optional<Reduction>>(name)
        .Cases({"sum", "mean"}, Reduction::sum)
        .Case("prod", Reduction::product)
        .Case("max", Reduction::max)
        .Case("min", Reduction::min)
        .Default(std::nullopt);
  }

  LogicalResult emit();
  void emitRow(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index);
  void emitColumns(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index,
                   Value mask);
  void emitExtremumIndex(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index);
  Value finishReduction(FunctionEmitter &f, Value combined);
};

Value RowKernel::finishReduction(FunctionEmitter &f, Value combined) {
  if (name == "mean") {
    Value count = f.dimValue(type.shape[axis]);
    Value size = arith::SIToFPOp::create(f.b, getElementTypeOrSelf(combined.getType()), count);
    if (isa<VectorType>(combined.getType()))
      size = f.splat(size);
    combined = arith::DivFOp::create(f.b, combined, size);
  }
  return roundTo(f, combined, resultType.dtype);
}

/// The axis is the last one: lanes run along the row.
void RowKernel::emitRow(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index) {
  ElementEmitter inputs(f);
  inputs.provideArguments(kernel.body());
  Value count = f.dimValue(type.shape[axis]);
  auto at = [&](Value column, Value mask) {
    Coords coords;
    coords.index = index;
    coords.index.back() = column;
    coords.laneAxis = axis;
    coords.mask = mask;
    return coords;
  };
  auto element = [&](Value column, Value mask) { return inputs.emit(x, at(column, mask)); };

  if (auto reduce = reduction()) {
    Value combined = emitRowReduction(f, *reduce, type.dtype, count, element);
    Value result = finishReduction(f, combined);
    ElementEmitter elements(f);
    elements.provideArguments(kernel.body());
    elements.provide(anchor->getResult(0), [&](const Coords &) { return result; });
    Coords one;
    one.index = index;
    one.index.back() = f.constant(0);
    return storeResults(f, elements, kernel, outputs, one);
  }

  // The row is read several times: what is computed goes to this worker's scratch row first, in
  // the compute type, so that gathers and elementwise operations before the anchor run once.
  Type rowType = computeType(f, type.dtype);
  int64_t bytes = rowType.getIntOrFloatBitWidth() / 8;
  auto lanes = f.vec(rowType);
  Value scratch = f.scratch();
  auto slot = [&](Value column) { return f.offset(scratch, column, bytes); };
  auto scratchRow = [&](Value column, Value mask) {
    return f.maskedLoad(lanes, slot(column), mask);
  };
  emitColumnLoop(f, kernel, type.shape[axis], f.constant(0), count, [&](Value column, Value mask) {
    f.maskedStore(element(column, mask), slot(column), mask);
  });
  std::function<Value(const Coords &)> result;
  if (name == "softmax") {
    Value greatest = f.splat(emitRowReduction(f, Reduction::max, type.dtype, count, scratchRow));
    f.vectorLoop(count, [&](Value column, Value mask) {
      Value distance = arith::SubFOp::create(f.b, scratchRow(column, mask), greatest);
      Value power = emitElementwise(f, "exp", type.dtype, {distance});
      f.maskedStore(power, slot(column), mask);
    });
    Value sum = f.splat(emitRowReduction(f, Reduction::sum, type.dtype, count, scratchRow));
    result = [&, sum](const Coords &coords) -> Value {
      return arith::DivFOp::create(f.b, scratchRow(coords.index.back(), coords.mask), sum);
    };
  } else {
    double epsilon = anchor->getAttrOfType<FloatAttr>("epsilon").getValueAsDouble();
    RowStatistics statistics = emitRowStatistics(f, type.dtype, count, epsilon, scratchRow);
    bool affine = anchor->getNumOperands() == 3;
    result = [&, statistics, affine](const Coords &coords) {
      Coords column;
      column.index = {coords.index.back()};
      column.laneAxis = 0;
      column.mask = coords.mask;
      return emitNormalised(f, scratchRow(coords.index.back(), coords.mask), statistics,
                            affine ? inputs.emit(anchor->getOperand(1), column) : Value(),
                            affine ? inputs.emit(anchor->getOperand(2), column) : Value());
    };
  }
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  elements.provide(anchor->getResult(0), [&](const Coords &coords) {
    return roundTo(f, result(coords), resultType.dtype);
  });
  f.vectorLoop(count, [&](Value column, Value mask) {
    storeResults(f, elements, kernel, outputs, at(column, mask));
  });
}

/// The axis is not the last one: each lane is a column of its own.
void RowKernel::emitColumns(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index,
                            Value mask) {
  Value count = f.dimValue(type.shape[axis]);
  auto at = [&](Value position) {
    Coords coords;
    coords.index = index;
    coords.index[axis] = position;
    coords.laneAxis = type.rank() - 1;
    coords.mask = mask;
    return coords;
  };
  auto combineAll = [&](Reduction reduce, llvm::function_ref<Value(Value)> element) {
    Value neutral = emitNeutral(f, reduce, type.dtype, /*vector=*/true);
    return f.fold(f.constant(0), count, f.constant(1), neutral,
                  [&](Value position, ValueRange carried) -> SmallVector<Value> {
                    return {emitCombine(f, reduce, type.dtype, carried[0], element(position))};
                  })[0];
  };
  ElementEmitter inputs(f);
  inputs.provideArguments(kernel.body());
  auto element = [&](Value position) { return inputs.emit(x, at(position)); };
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  if (auto reduce = reduction()) {
    Value result = finishReduction(f, combineAll(*reduce, element));
    elements.provide(anchor->getResult(0), [&](const Coords &) { return result; });
    return storeResults(f, elements, kernel, outputs, at(f.constant(0)));
  }
  Value greatest = combineAll(Reduction::max, element); // softmax
  auto power = [&](Value position) {
    Value distance = arith::SubFOp::create(f.b, element(position), greatest);
    return emitElementwise(f, "exp", type.dtype, {distance});
  };
  Value sum = combineAll(Reduction::sum, power);
  f.loop(f.constant(0), count, f.constant(1), [&](Value position) {
    ElementEmitter row(f);
    row.provideArguments(kernel.body());
    row.provide(anchor->getResult(0), [&](const Coords &) -> Value {
      Value quotient = arith::DivFOp::create(f.b, power(position), sum);
      return roundTo(f, quotient, resultType.dtype);
    });
    storeResults(f, row, kernel, outputs, at(position));
  });
}

/// argmax, argmin: element by element; the first of equals, and the first NaN wins.
void RowKernel::emitExtremumIndex(FunctionEmitter &f, ArrayRef<Value> outputs,
                                  SmallVector<Value> index) {
  ElementEmitter inputs(f);
  inputs.provideArguments(kernel.body());
  auto element = [&](Value position) {
    Coords coords;
    coords.index = index;
    coords.index[axis] = position;
    return inputs.emit(x, coords);
  };
  StringRef better = name == "argmax" ? "gt" : "lt";
  Value count = f.dimValue(type.shape[axis]);
  Value first = element(f.constant(0));
  auto best = f.fold(f.constant(1), count, f.constant(1), {first, f.constant(0)},
                     [&](Value position, ValueRange carried) -> SmallVector<Value> {
                       Value candidate = element(position);
                       Value wins = emitElementwise(f, better, type.dtype, {candidate, carried[0]});
                       if (isFloat(type.dtype)) {
                         Value nan = emitElementwise(f, "is_nan", type.dtype, {candidate});
                         Value settled = emitElementwise(f, "is_nan", type.dtype, {carried[0]});
                         wins = arith::OrIOp::create(f.b, wins, nan);
                         wins = arith::SelectOp::create(
                             f.b, settled, arith::ConstantIntOp::create(f.b, 0, 1), wins);
                       }
                       return {arith::SelectOp::create(f.b, wins, candidate, carried[0]),
                               arith::SelectOp::create(f.b, wins, position, carried[1])};
                     });
  ElementEmitter elements(f);
  elements.provideArguments(kernel.body());
  elements.provide(anchor->getResult(0), [&](const Coords &) { return best[1]; });
  Coords one;
  one.index = index;
  one.index[axis] = f.constant(0);
  storeResults(f, elements, kernel, outputs, one);
}

LogicalResult RowKernel::emit() {
  bool byIndex = name == "argmax" || name == "argmin";
  if (!isFloat(type.dtype) && keepsShape())
    return anchor->emitOpError("needs a float operand");
  for (Value result : kernel.terminator()->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == resultType.shape))
      return kernel.function.emitError("a row kernel's results must have its anchor's shape");
  Location loc = anchor->getLoc();
  SmallVector<Dim> outer = outerDims();
  // Tasks: rows; where lanes run across the axis, blocks of columns of each.
  bool byColumns = !alongRows && !byIndex;
  Dim inner = alongRows ? Dim(1) : type.shape[-1];
  {
    FunctionEmitter f = FunctionEmitter::body(lowering, loc, kernel.name);
    SmallVector<Value> outputs = outputBuffers(f, kernel);
    Value innerCount = f.dimValue(inner);
    Value step = f.constant(byColumns ? f.lanes() : 1);
    Value blocks = f.ceilDiv(innerCount, step);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      if (alongRows)
        emitPrefetch(f, kernel, ArrayRef<Dim>(outer).drop_back(), task);
      SmallVector<Value> index = emitRowCoords(f, outer, f.div(task, blocks));
      Value column = f.mul(f.rem(task, blocks), step);
      if (alongRows)
        return byIndex ? emitExtremumIndex(f, outputs, index) : emitRow(f, outputs, index);
      index.back() = column;
      if (byIndex)
        return emitExtremumIndex(f, outputs, index);
      emitColumns(f, outputs, index, f.prefixMask(f.sub(innerCount, column)));
    });
    f.finish();
  }
  if (alongRows && keepsShape()) {
    Dim bytes = type.shape[axis] * Dim(type.dtype == DType::float64 ? 8 : 4);
    lowering.requireScratch((bytes + Dim(63)) / Dim(64) * Dim(64));
  }
  FunctionEmitter f = FunctionEmitter::launcher(lowering, loc, kernel.name);
  emitIndexChecks(f, kernel.body());
  f.returnIf(f.equal(emitNumElements(f, resultType.shape.vec()), f.constant(0)), /*status=*/0);
  Value step = f.constant(byColumns ? f.lanes() : 1);
  Value tasks = f.mul(emitNumElements(f, outer), f.ceilDiv(f.dimValue(inner), step));
  Value total = emitNumElements(f, type.shape.vec());
  f.runTasks(kernel.name, tasks, {}, f.lessThan(f.constant(parallelElements), total));
  f.finish();
  return success();
}

} // namespace

LogicalResult emitRowKernel(ModuleLowering &lowering, Kernel &kernel) {
  return RowKernel{lowering, kernel}.emit();
}

} // namespace kiln::passes
