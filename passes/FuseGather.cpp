#include "ir/TypeConversion.h"
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

/// Whether a fusion with the producer inside is one that the linear's emitter takes: tried on a
/// copy. Not, say, where the gather reads the very weight of the linear, which comes packed.
bool wouldFit(ir::FusionOp fusion, Operation *producer) {
  OpBuilder b(fusion);
  Operation *copiedProducer = b.clone(*producer);
  auto copy = cast<ir::FusionOp>(b.clone(*fusion));
  copy->replaceUsesOfWith(producer->getResult(0), copiedProducer->getResult(0));
  absorbProducer(copy, copiedProducer);
  bool fits = succeeded(analyseLinear(copy.getBody().front(), rowAnchor(copy)));
  copy.erase();
  return fits;
}

struct FuseGatherPass : impl::FuseGatherPassBase<FuseGatherPass> {
  void runOnOperation() override {
    for (Block *block : programBlocks(getOperation()))
      fuse(*block);
  }

private:
  static void fuse(Block &block) {
    // A layer_norm or a linear that is in no kernel yet is an anchor, if gathers lead to it.
    SmallVector<Operation *> anchors;
    for (Operation &op : block)
      if (isa<ir::LayerNormOp>(op) || (isa<ir::LinearOp>(op) && isSupportedLinear(&op)))
        anchors.push_back(&op);
    for (Operation *anchor : anchors)
      if (gathersInto(anchor->getOperand(0)))
        wrapInFusion(anchor);
    SmallVector<ir::FusionOp> fusions(block.getOps<ir::FusionOp>());
    for (ir::FusionOp fusion : fusions)
      while (Operation *producer = findProducer(fusion))
        absorbProducer(fusion, producer);
    sortBlock(block);
  }

  /// Whether a gather leads to `value` through decoding, additions and casts that nothing else
  /// uses.
  static bool gathersInto(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !value.hasOneUse())
      return false;
    if (isa<ir::GatherOp>(op))
      return true;
    return isa<ir::DequantizeOp, ir::AddOp, ir::CastOp>(op) &&
           llvm::any_of(op->getOperands(), [&](Value operand) { return gathersInto(operand); });
  }

  /// Whether a value that is read in windows has edges put around it, or is such an edge: zeros
  /// that need not be stored. Not along the last axis, whose elements are read in vectors.
  static bool isEdge(BlockArgument argument, Operation *producer) {
    if (auto concat = dyn_cast<ir::ConcatOp>(producer))
      return static_cast<int64_t>(concat.getAxis()) + 1 <
                 cast<RankedTensorType>(concat.getType()).getRank() &&
             llvm::any_of(concat.getInputs(), isUniform) &&
             llvm::all_of(argument.getUsers(),
                          [](Operation *user) { return isa<ir::WindowsOp, ir::ConcatOp>(user); });
    return isUniform(producer->getResult(0)) &&
           llvm::all_of(argument.getUsers(),
                        [](Operation *user) { return isa<ir::ConcatOp>(user); });
  }

  /// One number everywhere.
  static bool isUniform(Value value) {
    if (auto broadcast = value.getDefiningOp<ir::BroadcastToOp>())
      return isUniform(broadcast.getX());
    auto constant = value.getDefiningOp<ir::ConstantOp>();
    return constant && isa<SplatElementsAttr>(constant.getValue());
  }

  static Operation *findProducer(ir::FusionOp fusion) {
    Operation *anchor = rowAnchor(fusion);
    if (!anchor || isFull(fusion))
      return nullptr;
    for (auto [i, input] : llvm::enumerate(fusion.getInputs())) {
      Operation *producer = input.getDefiningOp();
      if (!producer || producer->getBlock() != fusion->getBlock() ||
          producer->getNumResults() != 1 || !onlyFeeds(producer, fusion) ||
          !feedsRows(fusion.getBody().getArgument(i), anchor))
        continue;
      bool isPatches =
          isa<ir::LinearOp>(anchor) &&
          (isMadeOfWindows(input) || isEdge(fusion.getBody().getArgument(i), producer));
      if (!isPatches && !gathersInto(input))
        continue;
      if (!isa<ir::LinearOp>(anchor) ||
          (canFuseIntoLinearPrologue(producer) && wouldFit(fusion, producer)))
        return producer;
    }
    return nullptr;
  }
};

} // namespace
} // namespace kiln::passes
