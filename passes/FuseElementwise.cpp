#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "ir/TypeConversion.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "passes/Passes.h.inc"

namespace {

bool isElementwise(Operation *op) { return op->hasTrait<ir::KilnElementwise>(); }

/// Moves or makes elements without computing: read in place by whatever needs them.
bool isMovement(Operation *op) {
  return isa<ir::BroadcastToOp, ir::PermuteOp, ir::SliceOp, ir::ConcatOp, ir::GatherOp>(op);
}

bool isRowAnchor(Operation *op) {
  return op->hasTrait<ir::KilnReduction>() || isa<ir::SoftmaxOp, ir::LayerNormOp>(op);
}

Dim elementsOf(Value value) { return ir::shapeOf(value.getType()).numElements(); }

// A kernel's code grows with its operations; longer chains are cut.
constexpr size_t maxOperations = 64;

struct FuseElementwisePass : impl::FuseElementwisePassBase<FuseElementwisePass> {
  void runOnOperation() override {
    Block *block = mainBlock(getOperation());
    if (!block)
      return;
    SmallVector<Operation *> anchors;
    for (Operation &op : *block)
      if (isRowAnchor(&op))
        anchors.push_back(&op);
    for (Operation *anchor : anchors) {
      ir::FusionOp fusion = wrapInFusion(anchor);
      while (Operation *user = findUser(fusion))
        fusion = absorbUser(fusion, user);
      sortBlock(*block);
    }
    for (auto fusion : llvm::make_early_inc_range(block->getOps<ir::FusionOp>()))
      if (llvm::any_of(fusion.getBody().front(), [](Operation &op) { return isRowAnchor(&op); }))
        absorbProducers(fusion);
    // What is left are kernels without an anchor. From the last operation backwards, so that a
    // chain ends in one kernel.
    while (Operation *root = lastLoose(*block))
      absorbProducers(wrapInFusion(root));
    sortBlock(*block);
  }

private:
  static void absorbProducers(ir::FusionOp fusion) {
    if (llvm::any_of(fusion.getBody().front(), [](Operation &op) { return isa<ir::LinearOp>(op); }))
      return; // its x would be computed again for each block of columns
    while (Operation *producer = findProducer(fusion))
      absorbProducer(fusion, producer);
  }

  static bool isFull(ir::FusionOp fusion) {
    return fusion.getBody().front().getOperations().size() > maxOperations;
  }

  /// The last elementwise operation or movement that is in no fusion.
  static Operation *lastLoose(Block &block) {
    for (Operation &op : llvm::reverse(block.without_terminator()))
      if (isLoose(&op))
        return &op;
    return nullptr;
  }
  static bool isLoose(Operation *op) { return isElementwise(op) || isMovement(op); }

  /// An elementwise operation on a row anchor's result, of the same shape.
  static Operation *findUser(ir::FusionOp fusion) {
    if (isFull(fusion))
      return nullptr;
    for (Value result : fusion.getResults())
      for (Operation *user : result.getUsers())
        if (user->getBlock() == fusion->getBlock() && isElementwise(user) &&
            ir::shapeOf(user->getResult(0).getType()) == ir::shapeOf(result.getType()) &&
            canAbsorbUser(fusion, user))
          return user;
    return nullptr;
  }

  /// An operation that only this fusion needs and that would not be computed more often inside it.
  static Operation *findProducer(ir::FusionOp fusion) {
    if (isFull(fusion))
      return nullptr;
    for (Value input : fusion.getInputs()) {
      Operation *producer = input.getDefiningOp();
      if (producer && producer->getBlock() == fusion->getBlock() && isLoose(producer) &&
          onlyFeeds(producer, fusion) && (isCheap(producer) || isAsLarge(input, fusion)))
        return producer;
    }
    return nullptr;
  }

  static bool isCheap(Operation *op) { return isMovement(op) || isa<ir::CastOp>(op); }

  /// Whether a value has as many elements as the fusion goes through.
  static bool isAsLarge(Value value, ir::FusionOp fusion) {
    Dim elements = elementsOf(value);
    for (Operation &op : fusion.getBody().front()) {
      if (isRowAnchor(&op))
        return elementsOf(op.getOperand(0)) == elements;
    }
    return elementsOf(fusion.getResult(0)) == elements;
  }
};

} // namespace
} // namespace kiln::passes
