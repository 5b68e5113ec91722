// Kernels without an anchor: one pass over the result, elements recomputed from the operands.
#include "passes/cpu/Kernels.h"
#include "passes/cpu/PackedRows.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// Elements of the innermost axis that one task writes at most; and how many elements make it
// worth waking a thread (about 10 us of streaming).
constexpr int64_t taskColumns = 8192, parallelElements = 65536;

} // namespace

bool isFlat(Kernel &kernel, const Shape &shape) {
  for (BlockArgument argument : kernel.body().getArguments()) {
    Shape operand = ElementEmitter::typeOf(argument).shape;
    if (!(operand == shape) && !(operand.numElements() == Dim(1)))
      return false;
  }
  for (Operation &op : kernel.body().without_terminator()) {
    StringRef name = op.getName().stripDialect();
    if (findViewEmitter(name) && name != "cast")
      return false;
    Shape result = ElementEmitter::typeOf(op.getResult(0)).shape;
    if (!(result == shape) && !(result.numElements() == Dim(1)))
      return false;
  }
  return shape.rank() > 0;
}

void provideFlat(ElementEmitter &elements, FunctionEmitter &f, Kernel &kernel) {
  for (BlockArgument argument : kernel.body().getArguments()) {
    TensorType type = ElementEmitter::typeOf(argument);
    Value pointer = f.buffer(argument.getArgNumber());
    bool single = type.shape.numElements() == Dim(1);
    elements.provide(argument, [=, &elements](const Coords &at) {
      TensorType row(type.dtype, single ? Shape{} : Shape{type.shape.numElements()}, type.device);
      Coords flat;
      if (!single) {
        flat.index = {at.index.back()};
        flat.laneAxis = at.isVector() ? 0 : -1;
        flat.mask = at.mask;
      }
      return elements.loadAt(pointer, row, flat);
    });
  }
}

SmallVector<Value> emitRowCoords(FunctionEmitter &f, ArrayRef<Dim> outer, Value row) {
  SmallVector<Value> index(outer.size());
  for (int64_t axis = static_cast<int64_t>(outer.size()) - 1; axis >= 0; --axis) {
    if (axis == 0) {
      index[0] = row;
      break;
    }
    Value size = f.dimValue(outer[axis]);
    index[axis] = f.rem(row, size);
    row = f.div(row, size);
  }
  return index;
}

LogicalResult emitLoopKernel(ModuleLowering &lowering, Kernel &kernel) {
  Location loc = kernel.function.getLoc();
  Operation *terminator = kernel.terminator();
  Shape shape = ElementEmitter::typeOf(terminator->getOperand(0)).shape;
  for (Value result : terminator->getOperands())
    if (!(ElementEmitter::typeOf(result).shape == shape))
      return kernel.function.emitError("results of a loop kernel differ in shape");
  bool flat = isFlat(kernel, shape);
  SmallVector<Dim> outer;
  if (!flat && shape.rank())
    outer.append(shape.begin(), shape.end() - 1);
  Dim columns = shape.rank() == 0 ? Dim(1) : flat ? shape.numElements() : shape[-1];

  {
    FunctionEmitter f = FunctionEmitter::body(lowering, loc, kernel.name);
    ElementEmitter elements(f);
    if (flat)
      provideFlat(elements, f, kernel);
    else
      elements.provideArguments(kernel.body());
    SmallVector<Value> outputs = outputBuffers(f, kernel);
    Value columnCount = f.dimValue(columns);
    Value blocks = f.max(f.ceilDiv(columnCount, f.constant(taskColumns)), f.constant(1));
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      Value row = f.div(task, blocks), block = f.rem(task, blocks);
      Value first = f.mul(block, taskColumns);
      Value count = f.min(f.sub(columnCount, first), f.constant(taskColumns));
      Coords at;
      if (flat)
        at.index.assign(shape.rank(), f.constant(0));
      else if (shape.rank()) {
        at.index = emitRowCoords(f, outer, row);
        at.index.push_back({});
      }
      Value rowStart = f.mul(row, columnCount);
      auto write = [&](Value column, Value mask) {
        if (shape.rank())
          at.index.back() = column;
        at.mask = mask;
        for (auto [result, output] : llvm::zip(terminator->getOperands(), outputs)) {
          DType dtype = ElementEmitter::typeOf(result).dtype;
          Value value = elements.emit(result, at);
          Value position = f.add(rowStart, column);
          elements.storeAt(value, dtype, f.offset(output, position, sizeBytes(dtype)), mask);
        }
      };
      if (shape.rank() == 0)
        return write(f.constant(0), {});
      at.laneAxis = shape.rank() - 1;
      emitPrefetch(f, kernel, outer, row);
      emitColumnLoop(f, kernel, columns, first, count, write);
    });
    f.finish();
  }

  FunctionEmitter f = FunctionEmitter::launcher(lowering, loc, kernel.name);
  emitIndexChecks(f, kernel.body());
  Value total = emitNumElements(f, shape.vec());
  f.returnIf(f.equal(total, f.constant(0)), /*status=*/0);
  Value blocks = f.ceilDiv(f.dimValue(columns), f.constant(taskColumns));
  Value tasks = f.mul(emitNumElements(f, outer), blocks);
  f.runTasks(kernel.name, tasks, {}, f.lessThan(f.constant(parallelElements), total));
  f.finish();
  return success();
}

} // namespace kiln::passes
