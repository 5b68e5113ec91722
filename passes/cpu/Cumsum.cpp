// Kernels around a cumsum: totals carried along the axis. Floats are summed in float64 and rounded
// once for each element, so that long rows stay accurate and no order of vectors shows.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// Elements of a row that are read, summed and written at a time, in the frame: 2 KiB of float64.
constexpr int64_t chunk = 256;
// Elements that make it worth waking a thread.
constexpr int64_t parallelElements = 32768;

struct Cumsum {
  ModuleLowering &lowering;
  Kernel &kernel;
  ir::CumsumOp op = cast<ir::CumsumOp>(kernel.anchor);
  TensorType type = ElementEmitter::typeOf(op.getX());
  int64_t axis = static_cast<int64_t>(op.getAxis());
  bool alongRows = axis == type.rank() - 1;
  DType totalType = isFloat(type.dtype) ? DType::float64 : type.dtype;

  /// What is stored of a total, in the compute type of x.
  Value rounded(FunctionEmitter &f, Value total) {
    return isFloat(type.dtype) ? emitCast(f, total, totalType, type.dtype) : total;
  }
  Value widened(FunctionEmitter &f, Value x) { return emitCast(f, x, type.dtype, totalType); }
  Value add(FunctionEmitter &f, Value x, Value y) {
    return emitElementwise(f, "add", totalType, {x, y});
  }
  /// Position number `i` of the `count` in the order in which they are summed.
  Value inOrder(FunctionEmitter &f, Value i, Value count) {
    return op.getReverse() ? f.sub(f.sub(count, f.constant(1)), i) : i;
  }

  void emitRow(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index, Value totals);
  void emitColumns(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index,
                   Value mask);
  LogicalResult emit();
};

/// The axis is the last one: elements are made and stored in vectors, summed one by one.
void Cumsum::emitRow(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index,
                     Value totals) {
  Type element = computeType(f, totalType);
  int64_t bytes = sizeBytes(totalType);
  Value count = f.dimValue(type.shape[axis]);
  Value chunks = f.ceilDiv(count, f.constant(chunk));
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(element));
  f.fold(f.constant(0), chunks, f.constant(1), zero, [&](Value number, ValueRange carried) {
    Value first = f.mul(inOrder(f, number, chunks), chunk);
    Value size = f.min(f.sub(count, first), f.constant(chunk));
    auto slot = [&](Value i) { return f.offset(totals, i, bytes); };
    auto at = [&](Value i, Value mask) {
      Coords coords;
      coords.index = index;
      coords.index[axis] = f.add(first, i);
      coords.laneAxis = axis;
      coords.mask = mask;
      return coords;
    };
    ElementEmitter inputs(f);
    inputs.provideArguments(kernel.body());
    f.vectorLoop(size, [&](Value i, Value mask) {
      f.store(widened(f, inputs.emit(op.getX(), at(i, mask))), slot(i));
    });
    auto summed = f.fold(f.constant(0), size, f.constant(1), carried[0],
                         [&](Value i, ValueRange before) -> SmallVector<Value> {
                           Value place = slot(inOrder(f, i, size));
                           Value after = add(f, before[0], f.load(element, place));
                           f.store(op.getExclusive() ? before[0] : after, place);
                           return {after};
                         });
    f.vectorLoop(size, [&](Value i, Value mask) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      elements.provide(op.getResult(),
                       [&](const Coords &) { return rounded(f, f.load(f.vec(element), slot(i))); });
      storeResults(f, elements, kernel, outputs, at(i, mask));
    });
    return summed;
  });
}

/// The axis is not the last one: each lane is a column of its own.
void Cumsum::emitColumns(FunctionEmitter &f, ArrayRef<Value> outputs, SmallVector<Value> index,
                         Value mask) {
  Value count = f.dimValue(type.shape[axis]);
  Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(computeType(f, totalType))));
  f.fold(f.constant(0), count, f.constant(1), zero,
         [&](Value i, ValueRange before) -> SmallVector<Value> {
           Coords at;
           at.index = index;
           at.index[axis] = inOrder(f, i, count);
           at.laneAxis = type.rank() - 1;
           at.mask = mask;
           ElementEmitter elements(f);
           elements.provideArguments(kernel.body());
           Value after = add(f, before[0], widened(f, elements.emit(op.getX(), at)));
           elements.provide(op.getResult(), [&](const Coords &) {
             return rounded(f, op.getExclusive() ? before[0] : after);
           });
           storeResults(f, elements, kernel, outputs, at);
           return {after};
         });
}

LogicalResult Cumsum::emit() {
  for (Value result : kernel.terminator()->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == type.shape))
      return kernel.function.emitError("a row kernel's results must have its anchor's shape");
  SmallVector<Dim> outer(type.shape.begin(), type.shape.end());
  outer[axis] = 1;
  outer.back() = 1;
  Dim columns = alongRows ? Dim(1) : type.shape[-1];
  {
    FunctionEmitter f = FunctionEmitter::body(lowering, op.getLoc(), kernel.name);
    SmallVector<Value> outputs = outputBuffers(f, kernel);
    Value totals = alongRows ? f.stackArray(computeType(f, totalType), chunk) : Value();
    Value columnCount = f.dimValue(columns);
    Value step = f.constant(alongRows ? 1 : f.lanes());
    Value blocks = f.ceilDiv(columnCount, step);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      SmallVector<Value> index = emitRowCoords(f, outer, f.div(task, blocks));
      if (alongRows)
        return emitRow(f, outputs, index, totals);
      index.back() = f.mul(f.rem(task, blocks), step);
      emitColumns(f, outputs, index, f.prefixMask(f.sub(columnCount, index.back())));
    });
    f.finish();
  }
  FunctionEmitter f = FunctionEmitter::launcher(lowering, op.getLoc(), kernel.name);
  emitIndexChecks(f, kernel.body());
  Value total = emitNumElements(f, type.shape.vec());
  f.returnIf(f.equal(total, f.constant(0)), /*status=*/0);
  Value step = f.constant(alongRows ? 1 : f.lanes());
  Value tasks = f.mul(emitNumElements(f, outer), f.ceilDiv(f.dimValue(columns), step));
  f.runTasks(kernel.name, tasks, {}, f.lessThan(f.constant(parallelElements), total));
  f.finish();
  return success();
}

} // namespace

LogicalResult emitCumsumKernel(ModuleLowering &lowering, Kernel &kernel) {
  return Cumsum{lowering, kernel}.emit();
}

} // namespace kiln::passes
