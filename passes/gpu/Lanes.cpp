// How wide the threads of a kernel read and write.
#include "ir/KilnDialect.h"
#include "passes/gpu/DeviceKernel.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr int64_t vectorBytes = 16; // of the widest load

/// Whether neighbours along the last axis of the results are neighbours in what is read, too.
bool readsInOrder(Operation &op) {
  if (op.hasTrait<ir::KilnElementwise>())
    return true;
  int64_t last = ElementEmitter::typeOf(op.getResult(0)).rank() - 1;
  auto integers = [&](StringRef name) {
    return op.getAttrOfType<DenseI64ArrayAttr>(name).asArrayRef();
  };
  auto axis = [&] { return op.getAttrOfType<IntegerAttr>("axis").getInt(); };
  if (isa<ir::PermuteOp>(op))
    return last < 0 || integers("axes")[last] == last;
  if (isa<ir::SliceOp>(op))
    return last < 0 || integers("steps")[last] == 1;
  if (isa<ir::ConcatOp>(op))
    return axis() != last;
  if (isa<ir::GatherOp>(op))
    return axis() + ElementEmitter::typeOf(op.getOperand(1)).rank() <= last;
  return isa<ir::LinearOp, ir::LayerNormOp, ir::BroadcastToOp, ir::ReshapeOp, ir::RebindOp,
             ir::CastOp, ir::IotaOp, ir::SizeOp, ir::ConstantOp, ir::LocalSliceOp>(op);
}

} // namespace

int64_t chooseDeviceLanes(Kernel &kernel, const Dim &columns, bool flat) {
  int64_t bytes = 1;
  auto count = [&](Value tensor) {
    TensorType type = ElementEmitter::typeOf(tensor);
    // Of an index, one is read for all lanes.
    auto isIndex = [](OpOperand &use) {
      return isa<ir::GatherOp>(use.getOwner()) && use.getOperandNumber() == 1;
    };
    bool isIndices = !tensor.use_empty() && llvm::all_of(tensor.getUses(), isIndex);
    if (!isIndices && !(type.shape.numElements() == Dim(1)))
      bytes = std::max<int64_t>(bytes, sizeBytes(type.dtype));
  };
  llvm::for_each(kernel.body().getArguments(), count);
  llvm::for_each(kernel.terminator()->getOperands(), count);
  int64_t lanes = std::min<int64_t>(8, vectorBytes / bytes);
  auto isInOrder = [&](Operation &op) { return &op == kernel.anchor || readsInOrder(op); };
  if (!llvm::all_of(kernel.body().without_terminator(), isInOrder))
    return 1;
  return flat || columns / Dim(lanes) * Dim(lanes) == columns ? lanes : 1;
}

} // namespace kiln::passes
