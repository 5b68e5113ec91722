/// Attention on an accelerator: a block for 64 queries of a head (AttentionTile.h), no stored score
/// matrix. Operands may be anything that ElementEmitter computes; behind the attention, elementwise
/// operations of the result's shape (KernelForms.h).
#include "ir/KilnDialect.h"
#include "passes/cpu/AttentionShape.h"
#include "passes/cpu/KernelForms.h"
#include "passes/gpu/AttentionTile.h"
#include "passes/gpu/DeviceOps.h"
#include "passes/gpu/GpuTarget.h"
#include "passes/gpu/RowAnchor.h"
#include "passes/gpu/TensorOps.h"
#include "passes/gpu/TileOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace kiln::passes {
namespace {

class AttentionKernel : AttentionShape {
public:
  AttentionKernel(ModuleLowering &lowering, Kernel &kernel)
      : AttentionShape(cast<ir::AttentionOp>(kernel.anchor)), lowering(lowering), kernel(kernel),
        op(cast<ir::AttentionOp>(kernel.anchor)) {
    dtype = q.dtype == k.dtype && q.dtype == v.dtype ? q.dtype : DType::float32;
  }

  LogicalResult check() {
    if (q.dtype == DType::float64 || k.dtype == DType::float64 || v.dtype == DType::float64)
      return op.emitOpError("of float64 has no lowering for an accelerator");
    const Dim &depth = q.shape[-1], &columns = v.shape[-1];
    if (!depth.isStatic() || !columns.isStatic() || depth.value() > mostAttentionDepth ||
        columns.value() > mostAttentionColumns)
      return op.emitOpError("has no lowering for an accelerator with rows of ")
             << depth.str() << " (q and k) and " << columns.str() << " (v) elements: at most "
             << mostAttentionDepth << " and " << mostAttentionColumns;
    return success();
  }

  void emit() {
    checks = indexChecks(lowering, kernel.body());
    const int64_t depth = q.shape[-1].value(), columns = v.shape[-1].value();
    AttentionTile tile({dtype, lowering.precision}, depth, columns);
    DeviceLaunch launch;
    launch.threads = AttentionTile::threads;
    launch.sharedBytes = tile.sharedBytes();
    launch.lanes = columns % 4 == 0 ? 4 : 1;
    launch.extras = {IntegerType::get(lowering.module.getContext(), 64)};
    DeviceBody body = startDeviceBody(lowering, kernel, "", launch);
    FunctionEmitter &f = body.f;
    emitDeviceChecks(f, kernel.body(), checks, emitGlobalThread(f, launch.threads),
                     emitGlobalThreads(f, launch.threads));
    // The same for all threads of a block, so that all of them meet at its barriers.
    Value block = device::blockId(f, device::Axis::x);
    f.ifThen(f.lessThan(block, f.extras[0]), [&] { emitBlock(f, tile, block); });
    finishDeviceBody(f, kernel);
    Dim tiles = (queries + Dim(AttentionTile::queries - 1)) / Dim(AttentionTile::queries);
    SmallVector<Dim> blocks(outer.begin(), outer.end());
    blocks.push_back(tiles);
    emitRowLauncher(lowering, kernel, body.number, checks, blocks, /*rowsPerBlock=*/1);
  }

private:
  /// Where a row of q, of k or v, or of the result lies.
  Coords place(FunctionEmitter &f, ArrayRef<Value> batch, Value head, Value row,
               Value column) const {
    Coords at;
    at.index.append(batch.begin(), batch.end());
    at.index.resize(batch.size() + 2);
    at.index[headAxis] = head;
    at.index[rowAxis] = row;
    at.index.push_back(column);
    if (f.lanes() > 1)
      at.laneAxis = static_cast<int64_t>(at.index.size()) - 1;
    return at;
  }

  TileOperand rowsOf(FunctionEmitter &f, Value tensor, ArrayRef<Value> batch, Value head,
                     Value firstRow, const Dim &rows) {
    TensorType type = ElementEmitter::typeOf(tensor);
    SmallVector<Value> lead(batch);
    return computedRows(f, type.dtype, dtype, type.shape[-1], firstRow, f.dimValue(rows),
                        [=, this, &f](Value row, Value column) {
                          ElementEmitter elements(f);
                          elements.provideArguments(kernel.body());
                          return elements.emit(tensor, place(f, lead, head, row, column));
                        });
  }

  void emitBlock(FunctionEmitter &f, const AttentionTile &tile, Value block) {
    Value perHead = f.ceilDiv(f.dimValue(queries), f.constant(AttentionTile::queries));
    SmallVector<Value> index = emitRowCoords(f, outer, f.div(block, perHead));
    Value firstQuery = f.mul(f.rem(block, perHead), AttentionTile::queries);
    Value head = index.back(), thread = device::threadId(f), shared = device::dynamicShared(f);
    ArrayRef<Value> batch = ArrayRef<Value>(index).drop_back();
    Value keyHead = f.div(head, f.div(f.dimValue(heads), f.dimValue(k.shape[headAxis])));

    auto adjust = [&](Value score, Value query, Value key) -> Value {
      Value scale = f.constantF32(float(op.getScale().convertToDouble()));
      score = arith::MulFOp::create(f.b, score, scale);
      Value mask = op.getMask();
      if (!mask)
        return score;
      ElementEmitter elements(f);
      elements.provideArguments(kernel.body());
      // Behind the last query or key: the last one's, for what comes of it is not used.
      auto within = [&](Value number, const Dim &count) {
        return f.min(number, f.sub(f.dimValue(count), f.constant(1)));
      };
      Coords at;
      at.index = index;
      at.index.push_back(within(f.add(firstQuery, query), queries));
      at.index.push_back(within(key, keys));
      TensorType type = ElementEmitter::typeOf(mask);
      Value term = elements.emit(mask, broadcastCoords(f, type, scores, at));
      Value lowest = f.constantF32(-std::numeric_limits<float>::infinity());
      if (type.dtype == DType::boolean)
        return arith::SelectOp::create(f.b, term, score, lowest);
      return arith::AddFOp::create(f.b, score, term);
    };
    tile.emit(
        f, thread, shared, rowsOf(f, op.getQ(), batch, head, firstQuery, queries),
        [&](Value firstKey) { return rowsOf(f, op.getK(), batch, keyHead, firstKey, keys); },
        [&](Value firstKey) { return rowsOf(f, op.getV(), batch, keyHead, firstKey, keys); },
        f.dimValue(keys), adjust);
    emitResults(f, tile, batch, head, firstQuery, thread, shared);
  }

  void emitResults(FunctionEmitter &f, const AttentionTile &tile, ArrayRef<Value> batch, Value head,
                   Value firstQuery, Value thread, Value shared) {
    const int64_t vectors = v.shape[-1].value() / f.lanes();
    DType resultType = ElementEmitter::typeOf(op.getResult()).dtype;
    SmallVector<Value> outputs = outputBuffers(f, kernel);
    f.loop(thread, f.constant(AttentionTile::queries * vectors), f.constant(AttentionTile::threads),
           [&](Value item) {
             Value row = f.div(item, f.constant(vectors));
             Value column = f.mul(f.rem(item, f.constant(vectors)), f.lanes());
             Value query = f.add(firstQuery, row);
             f.ifThen(f.lessThan(query, f.dimValue(queries)), [&] {
               Value from = f.mul(f.add(f.mul(row, tile.resultStride()), column), 4);
               Type type = f.lanes() > 1 ? Type(f.vec(f.f32())) : f.f32();
               Value value = f.load(type, device::sharedOffset(f, shared, from));
               value = roundTo(f, value, resultType);
               ElementEmitter elements(f);
               elements.provideArguments(kernel.body());
               elements.provide(op.getResult(), [=](const Coords &) { return value; });
               storeResults(f, elements, kernel, outputs, place(f, batch, head, query, column));
             });
           });
  }

  ModuleLowering &lowering;
  Kernel &kernel;
  ir::AttentionOp op;
  DType dtype;
  SmallVector<IndexCheck> checks;
};

} // namespace

LogicalResult emitDeviceAttention(ModuleLowering &lowering, Kernel &kernel) {
  AttentionKernel attention(lowering, kernel);
  auto error = [&] { return kernel.anchor->emitOpError(); };
  if (failed(attention.check()) ||
      failed(checkElementwiseBehind(kernel.body(), kernel.anchor, error)))
    return failure();
  attention.emit();
  return success();
}

} // namespace kiln::passes
