#include "passes/Fusing.h"
#include "passes/Passes.h"
#include "passes/cpu/KernelForms.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEGATHERPASS
#include "passes/Passes.h.inc"

namespace {

/// The anchor of a fusion that reads rows: a linear or a layer_norm.
Operation *rowAnchor(ir::FusionOp fusion) {
  for (Operation &op : fusion.getBody().front())
    if (isa<ir::LinearOp>(op))
      return &op;
  for (Operation &op : fusion.getBody().front())
    if (isa<ir::LayerNormOp>(op))
      return &op;
  return nullptr;
}

/// Whether a value of a fusion's body is used, directly or through operations of the body, by the
/// anchor's x alone: then it may be made row by row.
bool feedsRows(Value value, Operation *anchor) {
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    if (use.getOwner() == anchor)
      return use.getOperandNumber() == 0;
    return use.getOwner()->getNumResults() == 1 && use.getOwner()->isBeforeInBlock(anchor) &&
           feedsRows(use.getOwner()->getResult(0), anchor);
  });
}

struct FuseGatherPass : impl::FuseGatherPassBase<FuseGatherPass> {
  void runOnOperation() override {
    Block *block = mainBlock(getOperation());
    if (!block)
      return;
    // A layer_norm that follows no product is an anchor of its own, if gathers lead to it.
    SmallVector<ir::LayerNormOp> norms(block->getOps<ir::LayerNormOp>());
    for (ir::LayerNormOp norm : norms)
      if (gathersInto(norm.getX(), norm))
        wrapInFusion(norm);
    SmallVector<ir::FusionOp> fusions(block->getOps<ir::FusionOp>());
    for (ir::FusionOp fusion : fusions)
      while (Operation *producer = findProducer(fusion))
        absorbProducer(fusion, producer);
    sortBlock(*block);
  }

  /// Whether a gather leads to `value` through additions and casts that nothing else uses.
  static bool gathersInto(Value value, Operation *user) {
    Operation *op = value.getDefiningOp();
    if (!op || !value.hasOneUse())
      return false;
    if (isa<ir::GatherOp>(op))
      return true;
    return isa<ir::AddOp, ir::CastOp>(op) &&
           llvm::any_of(op->getOperands(), [&](Value operand) { return gathersInto(operand, op); });
  }

  static Operation *findProducer(ir::FusionOp fusion) {
    Operation *anchor = rowAnchor(fusion);
    if (!anchor)
      return nullptr;
    bool isLinear = isa<ir::LinearOp>(anchor);
    for (auto [i, input] : llvm::enumerate(fusion.getInputs())) {
      Operation *producer = input.getDefiningOp();
      if (!producer || producer->getBlock() != fusion->getBlock() ||
          producer->getNumResults() != 1 || !onlyFeeds(producer, fusion) ||
          !feedsRows(fusion.getBody().getArgument(i), anchor))
        continue;
      bool gathers = isa<ir::GatherOp>(producer) ||
                     (isa<ir::AddOp, ir::CastOp>(producer) && gathersInto(input, fusion));
      if (gathers && (!isLinear || canFuseIntoLinearPrologue(producer)))
        return producer;
    }
    return nullptr;
  }
};

} // namespace
} // namespace kiln::passes
