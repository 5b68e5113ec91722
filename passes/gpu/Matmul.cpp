/// Products of two tensors neither of which is a weight, over batch dims: a block makes a tile of
/// one matrix (ProductTile.h). Operands may be anything that ElementEmitter computes; such as lie
/// in memory are copied from there, the second one along its rows, as it lies. Behind the product,
/// elementwise operations of the result's shape (KernelForms.h).
#include "ir/KilnDialect.h"
#include "passes/cpu/KernelForms.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/RowAnchor.h"
#include "passes/gpu/TensorOps.h"
#include "passes/gpu/TileOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr TileShape shape{64, 64, 2, 2};

class MatmulKernel {
public:
  MatmulKernel(ModuleLowering &lowering, Kernel &kernel)
      : lowering(lowering), kernel(kernel), op(cast<ir::MatmulOp>(kernel.anchor)),
        type(ElementEmitter::typeOf(op.getResult())), x(ElementEmitter::typeOf(op.getX())),
        y(ElementEmitter::typeOf(op.getY())), batch(type.shape.begin(), type.shape.end() - 2),
        rows(type.shape[-2]), columns(type.shape[-1]), depth(x.shape[-1]),
        dtype(x.dtype == y.dtype ? x.dtype : DType::float32) {}

  void emit() {
    checks = indexChecks(lowering, kernel.body());
    ProductTile tile({dtype, lowering.precision}, shape);
    DeviceLaunch launch;
    launch.threads = shape.threads();
    launch.blocks = tile.blocks();
    launch.lanes = columns / Dim(4) * Dim(4) == columns ? ProductTile::four : 1;
    launch.sharedBytes = std::max(tile.stageBytes(), launch.lanes == 1 ? tile.resultBytes() : 0);
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    DeviceBody body = startDeviceBody(lowering, kernel, "", launch);
    FunctionEmitter &f = body.f;
    emitDeviceChecks(f, kernel.body(), checks, emitGlobalThread(f, launch.threads),
                     emitGlobalThreads(f, launch.threads));
    auto tiles = [](const Dim &size, int64_t of) { return (size + Dim(of - 1)) / Dim(of); };
    SmallVector<Dim> blocks(batch.begin(), batch.end());
    blocks.push_back(tiles(columns, shape.columns));
    blocks.push_back(tiles(rows, shape.rows)); // neighbours share columns
    Value block = device::blockId(f, device::Axis::x);
    // The same for all threads of a block, so that all of them meet at its barriers.
    f.ifThen(f.lessThan(block, f.extras[0]),
             [&] { emitBlock(f, tile, emitRowCoords(f, blocks, block)); });
    finishDeviceBody(f, kernel);
    emitRowLauncher(lowering, kernel, body.number, checks, blocks, /*rowsPerBlock=*/1);
  }

private:
  /// An element, or a vector along `laneAxis` (-1 or -2), of an operand of `from`.
  Value read(FunctionEmitter &f, Value tensor, ArrayRef<Value> matrix, Value row, Value column,
             int64_t laneAxis) {
    TensorType from = ElementEmitter::typeOf(tensor);
    std::vector<Dim> full(batch.begin(), batch.end());
    full.insert(full.end(), from.shape.end() - 2, from.shape.end());
    Coords at;
    at.index.append(matrix.begin(), matrix.end());
    at.index.append({row, column});
    if (f.lanes() > 1)
      at.laneAxis = static_cast<int64_t>(at.index.size()) + laneAxis;
    ElementEmitter elements(f);
    elements.provideArguments(kernel.body());
    return elements.emit(tensor, broadcastCoords(f, from, {from.dtype, Shape(full)}, at));
  }

  /// The address of an operand's matrix, if it lies in memory as it is multiplied and its rows are
  /// whole chunks; else null.
  Value inMemory(FunctionEmitter &f, Value tensor, ArrayRef<Value> matrix) {
    TensorType from = ElementEmitter::typeOf(tensor);
    auto argument = dyn_cast<BlockArgument>(tensor);
    if (!argument || from.dtype != dtype || !isWholeChunks(from.shape[-1], dtype))
      return {};
    Coords at;
    at.index.append(matrix.begin(), matrix.end());
    at.index.append(2, f.constant(0));
    std::vector<Dim> full(batch.begin(), batch.end());
    full.insert(full.end(), from.shape.end() - 2, from.shape.end());
    at = broadcastCoords(f, from, {from.dtype, Shape(full)}, at);
    Value position = f.constant(0);
    for (int64_t i = 0; i < from.rank(); ++i)
      position = f.add(f.mul(position, f.dimValue(from.shape[i])), at.index[i]);
    return f.offset(f.buffer(argument.getArgNumber()), position, sizeBytes(dtype));
  }

  TileOperand rowsOfX(FunctionEmitter &f, ArrayRef<Value> matrix, Value firstRow) {
    if (Value base = inMemory(f, op.getX(), matrix))
      return rowsInMemory(f, dtype, depth, [=, this, &f](Value row) -> RowPlace {
        Value number = f.add(firstRow, row);
        Value position = f.mul(number, f.mul(f.dimValue(depth), sizeBytes(dtype)));
        return {f.offsetBytes(base, position), f.lessThan(number, f.dimValue(rows))};
      });
    return computedRows(
        f, x.dtype, dtype, depth, firstRow, f.dimValue(rows),
        [=, this, &f](Value row, Value k) { return read(f, op.getX(), matrix, row, k, -1); });
  }

  TileOperand operandY(FunctionEmitter &f, ArrayRef<Value> matrix, Value firstColumn) {
    if (Value base = inMemory(f, op.getY(), matrix))
      return matrixInMemory(f, dtype, depth, columns, base, firstColumn);
    return computedMatrix(
        f, y.dtype, dtype, depth, columns, firstColumn,
        [=, this, &f](Value k, Value column) { return read(f, op.getY(), matrix, k, column, -1); });
  }

  void emitBlock(FunctionEmitter &f, const ProductTile &tile, ArrayRef<Value> at) {
    SmallVector<Value> matrix(at.drop_back(2));
    Value firstColumn = f.mul(at[at.size() - 2], shape.columns);
    Value firstRow = f.mul(at.back(), shape.rows);
    Value thread = device::threadId(f), shared = device::dynamicShared(f);
    TileOperand a = rowsOfX(f, matrix, firstRow), b = operandY(f, matrix, firstColumn);
    SmallVector<Value> sums =
        tile.emit(f, thread, shared, a, b, tile.allStages(f, f.dimValue(depth)));
    if (f.lanes() == ProductTile::four) {
      tile.forEachFour(f, thread, sums, [&](Value row, Value column, ArrayRef<Value> fours) {
        storeVector(f, matrix, f.add(firstRow, row), f.add(firstColumn, column),
                    [&] { return fours[0]; });
      });
      return;
    }
    tile.store(f, thread, sums, shared);
    device::barrier(f);
    f.loop(thread, f.constant(shape.rows * shape.columns), f.constant(shape.threads()),
           [&](Value item) {
             Value row = f.div(item, f.constant(shape.columns));
             Value column = f.rem(item, f.constant(shape.columns));
             storeVector(f, matrix, f.add(firstRow, row), f.add(firstColumn, column), [&] {
               Value from = f.mul(f.add(f.mul(row, tile.resultStride()), column), 4);
               return f.load(f.f32(), device::sharedOffset(f, shared, from));
             });
           });
  }

  /// What follows the product, where the matrix has that place.
  void storeVector(FunctionEmitter &f, ArrayRef<Value> matrix, Value row, Value column,
                   llvm::function_ref<Value()> sum) {
    Value inside = arith::AndIOp::create(f.b, f.lessThan(row, f.dimValue(rows)),
                                         f.lessThan(column, f.dimValue(columns)));
    f.ifThen(inside, [&] {
      Coords place;
      place.index.append(matrix.begin(), matrix.end());
      place.index.append({row, column});
      if (f.lanes() > 1)
        place.laneAxis = type.rank() - 1;
      Value value = roundTo(f, sum(), type.dtype);
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      elements.provide(op.getResult(), [=](const Coords &) { return value; });
      storeResults(f, elements, kernel, outputBuffers(f, kernel), place);
    });
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  ir::MatmulOp op;
  TensorType type, x, y;
  std::vector<Dim> batch;
  Dim rows, columns, depth;
  DType dtype;
  SmallVector<IndexCheck> checks;
};

} // namespace

LogicalResult emitDeviceMatmul(ModuleLowering &lowering, Kernel &kernel) {
  auto error = [&] { return kernel.anchor->emitOpError(); };
  if (failed(checkElementwiseBehind(kernel.body(), kernel.anchor, error)))
    return failure();
  DType dtype = ElementEmitter::typeOf(kernel.anchor->getResult(0)).dtype;
  if (isFloat(dtype) && dtype != DType::float64)
    MatmulKernel(lowering, kernel).emit();
  else
    emitPlainMatmul(lowering, kernel);
  return success();
}

} // namespace kiln::passes
