#include "ir/KilnDialect.h"

using namespace mlir;

namespace kiln::ir {

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult foldConstants(Operation *, ArrayRef<mlir::Attribute>, SmallVectorImpl<OpFoldResult> &) {
  return failure();
}

/// Operations that move nothing are their operand.
static OpFoldResult foldIdentity(Operation *op, bool identity) {
  return identity && op->getOperand(0).getType() == op->getResult(0).getType()
             ? OpFoldResult(op->getOperand(0))
             : OpFoldResult();
}

OpFoldResult CastOp::fold(FoldAdaptor) { return foldIdentity(*this, true); }
OpFoldResult BroadcastToOp::fold(FoldAdaptor) { return foldIdentity(*this, true); }
OpFoldResult ReshapeOp::fold(FoldAdaptor) { return foldIdentity(*this, true); }
OpFoldResult PermuteOp::fold(FoldAdaptor) {
  return foldIdentity(*this, llvm::is_sorted(getAxes()));
}
OpFoldResult SliceOp::fold(FoldAdaptor) {
  bool forward = llvm::all_of(getSteps(), [](int64_t step) { return step == 1; });
  return foldIdentity(*this, forward);
}
OpFoldResult ConcatOp::fold(FoldAdaptor) { return foldIdentity(*this, getInputs().size() == 1); }

} // namespace kiln::ir
