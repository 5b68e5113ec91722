/// Products of two tensors neither of which is packed beforehand, over batch dims.
///
/// Floats of up to 32 bits: a task is a matrix of the batch, a block of its rows and some columns.
/// For each block of `productBlock` k it copies rows of x and, panel by panel, columns of y, so
/// that scratch memory does not grow with the operands; sums are the same bit for bit as those of
/// a linear. Other dtypes: plain loops over vectors of columns.
///
/// Operands may be anything that ElementEmitter computes; behind the product, elementwise
/// operations of the result's shape (KernelForms.h).

#include "ir/KilnDialect.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/Kernels.h"
#include "passes/cpu/MicrokernelPacking.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

/// Rows and columns of a task, at most: copies of 120 x 256 floats of x and of the result (130 KB
/// each) and one panel of y stay within L2; y is copied once for 120 rows, x once for 256 columns.
constexpr int64_t mostRows = 120, mostColumns = 256;
static_assert(mostRows % rowGranule == 0);
/// Tasks for each thread, and multiplications worth waking one for: see LinearGrid.cpp.
constexpr int64_t tasksPerThread = 4, leastParallelWork = 1 << 17;

class MatmulKernel {
public:
  MatmulKernel(ModuleLowering &lowering, Kernel &kernel)
      : lowering(lowering), kernel(kernel), op(cast<ir::MatmulOp>(kernel.anchor)),
        type(ElementEmitter::typeOf(op.getResult())), x(ElementEmitter::typeOf(op.getX())),
        y(ElementEmitter::typeOf(op.getY())), batch(type.shape.begin(), type.shape.end() - 2),
        rows(type.shape[-2]), columns(type.shape[-1]), depth(x.shape[-1]),
        format(chooseProduct(lowering, type.dtype, depth)) {
    std::vector<Dim> full = batch;
    full.insert(full.end(), {rows, depth});
    broadcastX = {x.dtype, Shape(full)};
    full = batch;
    full.insert(full.end(), {depth, columns});
    broadcastY = {y.dtype, Shape(full)};
  }

  void emitBlocked() {
    lowering.requireScratch(Dim(panelAt() + panelBytes() + memoryRows() * mostColumns * 4));
    emitBlockedBody();
    emitLauncher([&](FunctionEmitter &f) { emitBlockedTasks(f); });
  }
  void emitPlain() {
    emitPlainBody();
    emitLauncher([&](FunctionEmitter &f) {
      Value tasks = f.mul(emitNumElements(f, batch), f.dimValue(rows));
      f.runTasks(kernel.name, tasks, {}, worthThreads(f));
    });
  }

private:
  // Scratch memory: rows of x, a panel of y, results.
  int64_t memoryRows() const {
    return (mostRows + format.granule - 1) / format.granule * format.granule;
  }
  int64_t blockStride() const { return memoryRows() * format.rowStride * format.parts; }
  int64_t panelAt() const { return blockStride() * format.rowBytes(); }
  int64_t panelBytes() const { return format.panelElements(productBlock) * format.rowBytes(); }

  enum Extra : unsigned { rowsPerTask, rowTasks, columnsPerTask, columnTasks };

  void emitLauncher(llvm::function_ref<void(FunctionEmitter &)> run) {
    auto f = FunctionEmitter::launcher(lowering, op.getLoc(), kernel.name);
    emitIndexChecks(f, kernel.body());
    run(f);
    f.finish();
  }
  Value worthThreads(FunctionEmitter &f) {
    Value work = f.mul(emitNumElements(f, type.shape.vec()), f.dimValue(depth));
    return f.lessThan(f.constant(leastParallelWork), work);
  }

  void emitBlockedTasks(FunctionEmitter &f) {
    const int64_t width = format.panelWidth;
    Value one = f.constant(1), m = f.dimValue(rows), n = f.dimValue(columns);
    auto whole = [&](Value count, int64_t granule) {
      return f.mul(f.max(one, f.ceilDiv(count, f.constant(granule))), granule);
    };
    Value blocks = f.max(one, f.ceilDiv(m, f.constant(mostRows)));
    Value perTask = whole(f.ceilDiv(m, blocks), format.granule);
    blocks = f.ceilDiv(m, perTask);
    Value matrices = emitNumElements(f, batch);
    // Narrower than most where there would be too few tasks.
    Value rowWork = f.max(one, f.mul(matrices, blocks));
    Value wanted = f.ceilDiv(f.mul(f.threadCount(), tasksPerThread), rowWork);
    Value perChunk = f.min(whole(f.ceilDiv(n, wanted), width), f.constant(mostColumns));
    Value chunks = f.ceilDiv(n, perChunk);
    f.runTasks(kernel.name, f.mul(f.mul(matrices, blocks), chunks),
               {perTask, blocks, perChunk, chunks}, worthThreads(f));
  }

  Coords place(ArrayRef<Value> matrix, Value row, Value column, Value mask) const {
    Coords at;
    at.index.append(matrix.begin(), matrix.end());
    at.index.append({row, column});
    at.laneAxis = int64_t(at.index.size()) - 1;
    at.mask = mask;
    return at;
  }

  /// Rows of an operand from (firstRow, firstColumn) on; `full` is its type with all batch dims.
  RowSource rowsOf(FunctionEmitter &f, Value tensor, const TensorType &full, ArrayRef<Value> matrix,
                   Value firstRow, Value firstColumn) {
    return [=, this, &f, &full](Value row) -> RowReader {
      Value tensorRow = f.add(firstRow, row);
      return [=, this, &f, &full](Value column, Value mask) {
        ElementEmitter elements(f);
        elements.provideArguments(kernel.body());
        Coords at = place(matrix, tensorRow, f.add(firstColumn, column), mask);
        Value value =
            elements.emit(tensor, broadcastCoords(f, ElementEmitter::typeOf(tensor), full, at));
        return isa<VectorType>(value.getType()) ? value : f.splat(value);
      };
    };
  }

  void emitBlockedBody() {
    const int64_t width = format.panelWidth;
    auto f = FunctionEmitter::body(lowering, op.getLoc(), kernel.name);
    emitProductsBegin(f, format);
    Value a = f.scratch();
    Value panel = f.offsetBytes(a, f.constant(panelAt()));
    Value c = f.offsetBytes(panel, f.constant(panelBytes()));
    Value perTask = f.extra(rowsPerTask), blocks = f.extra(rowTasks);
    Value perChunk = f.extra(columnsPerTask), chunks = f.extra(columnTasks);
    Value total = f.dimValue(depth);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      Value block = f.div(task, chunks);
      SmallVector<Value> matrix = emitRowCoords(f, batch, f.div(block, blocks));
      Value firstRow = f.mul(f.rem(block, blocks), perTask);
      Value count = f.min(perTask, f.sub(f.dimValue(rows), firstRow));
      Value firstColumn = f.mul(f.rem(task, chunks), perChunk);
      Value wide = f.min(perChunk, f.sub(f.dimValue(columns), firstColumn));
      // At least once: without depth the sums are 0.
      f.loop(f.constant(0), f.max(total, f.constant(1)), f.constant(productBlock), [&](Value k) {
        Value steps = f.min(f.constant(productBlock), f.sub(total, k));
        emitPackRows(f, format, a, count, steps, isWholeVectors(f, depth), blockStride(),
                     rowsOf(f, op.getX(), broadcastX, matrix, firstRow, k));
        f.loop(f.constant(0), wide, f.constant(width), [&](Value column) {
          emitPackPanel(f, format, panel, steps, f.min(f.constant(width), f.sub(wide, column)),
                        rowsOf(f, op.getY(), broadcastY, matrix, k, f.add(firstColumn, column)));
          emitProduct(f, format, DType::float32,
                      {.a = a,
                       .b = panel,
                       .c = f.offset(c, column, 4),
                       .k = steps,
                       .strideC = f.constant(mostColumns),
                       .accumulate = k,
                       .rows = count,
                       .nextPartA = partStride(format, blockStride()),
                       .nextPartB = format.partElements(productBlock)});
        });
      });
      f.loop(f.constant(0), count, f.constant(1), [&](Value row) {
        Value from = f.offset(c, f.mul(row, mostColumns), 4);
        bool wholeVectors = isWholeVectors(f, columns);
        emitColumns(f, wide, wholeVectors, [&](Value column, Value mask) {
          Value sum = f.load(f.vec(f.f32()), f.offset(from, column, 4));
          emitResults(f, sum,
                      place(matrix, f.add(firstRow, row), f.add(firstColumn, column), mask));
        });
      });
    });
    emitProductsEnd(f, format);
    f.finish();
  }

  void emitPlainBody() {
    auto f = FunctionEmitter::body(lowering, op.getLoc(), kernel.name);
    Value zero = arith::ConstantOp::create(f.b, f.b.getZeroAttr(f.vec(computeType(f, type.dtype))));
    std::vector<Dim> outer = batch;
    outer.push_back(rows);
    f.loop(f.begin, f.end, f.constant(1), [&](Value task) {
      SmallVector<Value> index = emitRowCoords(f, outer, task);
      ArrayRef<Value> matrix = ArrayRef<Value>(index).drop_back();
      f.vectorLoop(f.dimValue(columns), [&](Value column, Value mask) {
        Value sum = f.fold(
            f.constant(0), f.dimValue(depth), f.constant(1), zero,
            [&](Value k, ValueRange carried) {
              ElementEmitter elements(f);
              elements.provideArguments(kernel.body());
              Coords one = place(matrix, index.back(), k, {});
              one.laneAxis = -1;
              Value left =
                  f.splat(elements.emit(op.getX(), broadcastCoords(f, x, broadcastX, one)));
              Value right = elements.emit(
                  op.getY(), broadcastCoords(f, y, broadcastY, place(matrix, k, column, mask)));
              if (!isa<VectorType>(right.getType()))
                right = f.splat(right);
              Value product = emitElementwise(f, "mul", type.dtype, {left, right});
              return SmallVector<Value>{
                  emitElementwise(f, "add", type.dtype, {carried[0], product})};
            })[0];
        emitResults(f, sum, place(matrix, index.back(), column, mask));
      });
    });
    f.finish();
  }

  void emitResults(FunctionEmitter &f, Value sum, const Coords &at) {
    Value value = roundTo(f, sum, type.dtype);
    ElementEmitter elements(f);
    elements.provideArguments(kernel.body());
    elements.provide(op.getResult(), [=](const Coords &) { return value; });
    emitStores(f, kernel, elements, at);
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  ir::MatmulOp op;
  TensorType type, x, y, broadcastX, broadcastY;
  std::vector<Dim> batch;
  Dim rows, columns, depth;
  ProductFormat format;
};

} // namespace

LogicalResult emitMatmulKernel(ModuleLowering &lowering, Kernel &kernel) {
  auto error = [&] { return kernel.anchor->emitOpError(); };
  if (failed(checkElementwiseBehind(kernel.body(), kernel.anchor, error)))
    return failure();
  MatmulKernel matmul(lowering, kernel);
  DType dtype = ElementEmitter::typeOf(kernel.anchor->getResult(0)).dtype;
  if (isFloat(dtype) && dtype != DType::float64)
    matmul.emitBlocked();
  else
    matmul.emitPlain();
  return success();
}

} // namespace kiln::passes
