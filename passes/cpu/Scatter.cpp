// Kernels of a scatter: x is copied, then updates are put into the result, or combined with what is
// there. No two tasks write one element, and each goes through its indices in order, so that the
// result is the same for any number of threads: of scatter, tasks have ranges of rows and of
// columns and go through all indices, of scatter_elements they have rows along the axis.
#include "ir/KilnDialect.h"
#include "passes/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace kiln::passes {
namespace {

// Elements that a task copies; elements that make it worth waking a thread.
constexpr int64_t copyElements = 8192, parallelElements = 32768;
// Columns of a task at least: some cache lines of each row.
constexpr int64_t taskColumns = 64;

struct Scatter {
  ModuleLowering &lowering;
  Kernel &kernel;
  Operation *op = kernel.anchor;
  Value x = op->getOperand(0), indices = op->getOperand(1), updates = op->getOperand(2);
  TensorType type = ElementEmitter::typeOf(x), indexType = ElementEmitter::typeOf(indices);
  StringRef combine = llvm::StringSwitch<StringRef>(op->getAttrOfType<StringAttr>("reduction"))
                          .Case("none", "")
                          .Case("max", "maximum")
                          .Case("min", "minimum")
                          .Default(op->getAttrOfType<StringAttr>("reduction"));
  Dim rows = type.shape[0], columns = product(type.shape, 1); // x as a matrix
  std::string copyName = kernel.name + ".copy";

  static Dim product(const Shape &shape, int64_t first) {
    Dim product = 1;
    for (int64_t axis = first; axis < shape.rank(); ++axis)
      product = product * shape[axis];
    return product;
  }
  Value output(FunctionEmitter &f) { return f.buffer(kernel.numOperands()); }
  Value address(FunctionEmitter &f, Value position) {
    return f.offset(output(f), position, sizeBytes(type.dtype));
  }
  /// A row and a column of a matrix with the columns of x.
  static Coords matrixCoords(Value row, Value column, bool isVector, Value mask) {
    Coords at;
    at.index = {row, column};
    at.laneAxis = isVector ? 1 : -1;
    at.mask = mask;
    return at;
  }

  Value indexAt(FunctionEmitter &f, ElementEmitter &elements, const Coords &at) {
    return toIndex(f, elements.emit(indices, at), indexType.dtype);
  }

  void put(FunctionEmitter &f, ElementEmitter &elements, Value update, Value position, Value mask);
  void emitCopy();
  void launchCopy(FunctionEmitter &f, Value total);
  void emitRowUpdates();
  void launchRowUpdates(FunctionEmitter &f);
  void emitElementUpdates();
  LogicalResult emit();
};

/// Stores an update, or what it makes of the element of the result that is there.
void Scatter::put(FunctionEmitter &f, ElementEmitter &elements, Value update, Value position,
                  Value mask) {
  if (!combine.empty()) {
    TensorType flat(type.dtype, {rows * columns}, type.device);
    Coords at;
    at.index = {position};
    at.laneAxis = isa<VectorType>(update.getType()) ? 0 : -1;
    at.mask = mask;
    Value old = elements.loadAt(output(f), flat, at);
    update = emitElementwise(f, combine, type.dtype, {old, update});
  }
  elements.storeAt(update, type.dtype, address(f, position), mask);
}

/// The body that copies x: its memory, or what makes it, row by row.
void Scatter::emitCopy() {
  FunctionEmitter f = FunctionEmitter::body(lowering, op->getLoc(), copyName);
  auto argument = dyn_cast<BlockArgument>(x);
  Value count = f.dimValue(argument ? product(type.shape, 0) : type.shape[-1]);
  f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
    if (argument) {
      Value first = f.mul(task, copyElements);
      VectorType vector = f.vec(storageType(f, type.dtype));
      Value from = f.offset(f.buffer(argument.getArgNumber()), first, sizeBytes(type.dtype));
      Value to = address(f, first);
      f.vectorLoop(f.min(f.sub(count, first), f.constant(copyElements)), [&](Value i, Value mask) {
        Value data = f.maskedLoad(vector, f.offset(from, i, sizeBytes(type.dtype)), mask);
        f.maskedStore(data, f.offset(to, i, sizeBytes(type.dtype)), mask);
      });
      return;
    }
    f.vectorLoop(count, [&](Value column, Value mask) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      Coords at;
      at.index = emitRowCoords(f, ArrayRef(type.shape.vec()).drop_back(), task);
      at.index.push_back(column);
      at.laneAxis = type.rank() - 1;
      at.mask = mask;
      elements.storeAt(elements.emit(x, at), type.dtype,
                       address(f, f.add(f.mul(task, count), column)), mask);
    });
  });
  f.finish();
}

void Scatter::launchCopy(FunctionEmitter &f, Value total) {
  Value tasks = isa<BlockArgument>(x) ? f.ceilDiv(total, f.constant(copyElements))
                                      : emitNumElements(f, ArrayRef(type.shape.vec()).drop_back());
  f.runTasks(copyName, tasks, {}, f.lessThan(f.constant(parallelElements), total));
}

/// The body that goes through the indices, for a range of rows and one of columns.
void Scatter::emitRowUpdates() {
  FunctionEmitter f = FunctionEmitter::body(lowering, op->getLoc(), kernel.name);
  Value columnTasks = f.extra(0), rowsPerTask = f.extra(1), columnsPerTask = f.extra(2);
  Value rowCount = f.dimValue(rows), columnCount = f.dimValue(columns);
  auto argument = dyn_cast<BlockArgument>(updates);
  bool inVectors = argument && columns != Dim(1);
  TensorType matrix(type.dtype, {indexType.shape[0], columns}, type.device);

  auto write = [&](ElementEmitter &elements, Value from, Value to, Value column, Value mask) {
    Coords at;
    Value update;
    if (argument) {
      at.index = {from, column};
      at.laneAxis = inVectors ? 1 : -1;
      at.mask = mask;
      update = elements.loadAt(f.buffer(argument.getArgNumber()), matrix, at);
    } else {
      at.index = emitRowCoords(f, ArrayRef(type.shape.vec()).drop_front(), column);
      at.index.insert(at.index.begin(), from);
      update = elements.emit(updates, at);
    }
    put(f, elements, update, f.add(f.mul(to, columnCount), column), mask);
  };

  f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
    Value firstRow = f.mul(f.div(task, columnTasks), rowsPerTask);
    Value endRow = f.min(f.add(firstRow, rowsPerTask), rowCount);
    Value firstColumn = f.mul(f.rem(task, columnTasks), columnsPerTask);
    Value count = f.min(f.sub(columnCount, firstColumn), columnsPerTask);
    f.loop(f.constant(0), f.dimValue(indexType.shape[0]), f.constant(1), [&](Value from) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      Coords where;
      where.index = {from};
      Value to = indexAt(f, elements, where);
      Value own = arith::CmpIOp::create(f.b, arith::CmpIPredicate::ult, f.sub(to, firstRow),
                                        f.sub(endRow, firstRow));
      f.ifThen(own, [&] {
        if (inVectors)
          f.vectorLoop(count, [&](Value i, Value mask) {
            write(elements, from, to, f.add(firstColumn, i), mask);
          });
        else
          f.loop(f.constant(0), count, f.constant(1),
                 [&](Value i) { write(elements, from, to, f.add(firstColumn, i), {}); });
      });
    });
  });
  f.finish();
}

/// A task for each thread: by columns as far as there are enough of them, then by rows. Alone, one
/// task takes everything.
void Scatter::launchRowUpdates(FunctionEmitter &f) {
  Value threads = f.threadCount(), one = f.constant(1);
  Value rowCount = f.dimValue(rows), columnCount = f.dimValue(columns);
  Value blocks = f.ceilDiv(columnCount, f.constant(taskColumns));
  Value blocksPerTask = f.ceilDiv(blocks, f.min(blocks, threads));
  Value columnTasks = f.ceilDiv(blocks, blocksPerTask);
  Value rowsPerTask = f.ceilDiv(rowCount, f.min(rowCount, f.ceilDiv(threads, columnTasks)));
  Value rowTasks = f.ceilDiv(rowCount, rowsPerTask);
  Value updated = f.mul(f.dimValue(indexType.shape[0]), columnCount);
  Value parallel = f.lessThan(f.constant(parallelElements), updated);
  auto choose = [&](Value several, Value single) -> Value {
    return arith::SelectOp::create(f.b, parallel, several, single);
  };
  f.runTasks(kernel.name, choose(f.mul(columnTasks, rowTasks), one),
             {choose(columnTasks, one), choose(rowsPerTask, rowCount),
              choose(f.mul(blocksPerTask, taskColumns), columnCount)},
             parallel);
}

/// The body of scatter_elements, and its launch: a task for each row of indices along the axis.
void Scatter::emitElementUpdates() {
  int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt();
  SmallVector<Dim> outer(indexType.shape.begin(), indexType.shape.end());
  outer[axis] = 1;
  FunctionEmitter f = FunctionEmitter::body(lowering, op->getLoc(), kernel.name);
  f.loop(f.begin, f.end, f.constant(1), [&](Value row) {
    SmallVector<Value> index = emitRowCoords(f, outer, row);
    f.loop(f.constant(0), f.dimValue(indexType.shape[axis]), f.constant(1), [&](Value i) {
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      Coords at;
      at.index = index;
      at.index[axis] = i;
      Value to = indexAt(f, elements, at), position = f.constant(0);
      for (int64_t a = 0; a < type.rank(); ++a)
        position = f.add(f.mul(position, f.dimValue(type.shape[a])), a == axis ? to : index[a]);
      put(f, elements, elements.emit(updates, at), position, {});
    });
  });
  f.finish();
}

LogicalResult Scatter::emit() {
  if (kernel.terminator()->getNumOperands() != 1 ||
      kernel.terminator()->getOperand(0) != op->getResult(0))
    return kernel.function.emitError("a scatter's kernel has no result but its own");
  bool byElement = isa<ir::ScatterElementsOp>(op);
  emitCopy();
  byElement ? emitElementUpdates() : emitRowUpdates();

  FunctionEmitter f = FunctionEmitter::launcher(lowering, op->getLoc(), kernel.name);
  emitIndexChecks(f, kernel.body());
  Value total = f.dimValue(rows * columns);
  f.returnIf(f.equal(total, f.constant(0)), /*status=*/0);
  launchCopy(f, total);
  if (byElement) {
    SmallVector<Dim> outer(indexType.shape.begin(), indexType.shape.end());
    outer[op->getAttrOfType<IntegerAttr>("axis").getInt()] = 1;
    Value updated = emitNumElements(f, indexType.shape.vec());
    f.runTasks(kernel.name, emitNumElements(f, outer), {},
               f.lessThan(f.constant(parallelElements), updated));
  } else {
    launchRowUpdates(f);
  }
  f.finish();
  return success();
}

} // namespace

LogicalResult emitScatterKernel(ModuleLowering &lowering, Kernel &kernel) {
  return Scatter{lowering, kernel}.emit();
}

} // namespace kiln::passes
