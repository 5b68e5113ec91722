#include "passes/Fusing.h"
#include "passes/Passes.h"
#include "passes/Reads.h"

#include "ir/TypeConversion.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEELEMENTWISEPASS
#include "passes/Passes.h.inc"

namespace {

/// Pieces of code that one kernel may emit. An operation whose result is read at several places is
/// emitted for each of them, and so are those before it.
constexpr size_t maxEmitted = 2 * maxOperations;

bool isElementwise(Operation *op) { return op->hasTrait<ir::KilnElementwise>(); }

/// Moves or makes elements without computing: read in place by whatever needs them.
bool isMovement(Operation *op) {
  return isa<ir::BroadcastToOp, ir::PermuteOp, ir::SliceOp, ir::LocalSliceOp, ir::WindowsOp,
             ir::ConcatOp, ir::GatherOp, ir::GatherElementsOp>(op);
}

/// An elementwise operation or a movement: what may become part of a kernel, or one of its own.
bool isLoose(Operation *op) {
  return isElementwise(op) || (isa<ir::DequantizeOp>(op) && !decodesForLinears(op)) ||
         (isMovement(op) && !isPackedPermute(op));
}

bool isCheap(Operation *op) { return isMovement(op) || isa<ir::CastOp>(op); }

/// Tens of instructions an element: only worth it in vectors.
bool isCostly(Operation *op) {
  return isa<ir::ExpOp, ir::LogOp, ir::Log1pOp, ir::SinOp, ir::CosOp, ir::TanhOp, ir::ErfOp,
             ir::GeluOp, ir::GeluTanhOp, ir::GeluQuickOp, ir::SiluOp, ir::SigmoidOp, ir::PowOp,
             ir::DequantizeOp>(op);
}

bool isRowAnchor(Operation *op) {
  return op->hasTrait<ir::KilnReduction>() ||
         isa<ir::SoftmaxOp, ir::LayerNormOp, ir::CumsumOp, ir::ArgsortOp>(op);
}

/// Whether a fusion goes through rows; those with a product are complete already.
bool isRowFusion(ir::FusionOp fusion) {
  Block &body = fusion.getBody().front();
  return llvm::any_of(body, [](Operation &op) { return isRowAnchor(&op); }) &&
         llvm::none_of(body, [](Operation &op) { return isa<ir::LinearOp>(op); });
}

struct FuseElementwisePass : impl::FuseElementwisePassBase<FuseElementwisePass> {
  void runOnOperation() override {
    for (Block *block : programBlocks(getOperation()))
      fuse(*block);
  }

private:
  static void fuse(Block &block) {
    SmallVector<Operation *> anchors;
    for (Operation &op : block)
      if (isRowAnchor(&op))
        anchors.push_back(&op);
    for (Operation *anchor : anchors)
      wrapInFusion(anchor);
    SmallVector<ir::FusionOp> rows;
    for (auto fusion : block.getOps<ir::FusionOp>())
      if (isRowFusion(fusion))
        rows.push_back(fusion);
    for (ir::FusionOp &fusion : rows)
      while (Operation *user = findUser(fusion))
        fusion = absorbUser(fusion, user);
    for (ir::FusionOp fusion : rows)
      absorbProducers(fusion);
    // What is left are kernels without an anchor. From the last operation backwards, so that a
    // chain ends in one kernel.
    while (Operation *root = lastLoose(block))
      absorbProducers(wrapInFusion(root));
    sortBlock(block);
  }

  static void absorbProducers(ir::FusionOp fusion) {
    while (Operation *producer = findProducer(fusion))
      absorbProducer(fusion, producer);
  }

  /// The last operation that is in no fusion.
  static Operation *lastLoose(Block &block) {
    for (Operation &op : llvm::reverse(block.without_terminator()))
      if (isLoose(&op))
        return &op;
    return nullptr;
  }

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
    Reads reads(fusion);
    for (auto [i, input] : llvm::enumerate(fusion.getInputs())) {
      Operation *producer = input.getDefiningOp();
      if (!producer || producer->getBlock() != fusion->getBlock() || !onlyFeeds(producer, fusion))
        continue;
      Value inside = fusion.getBody().getArgument(i);
      if (reads.numEmitted() + reads.numPlaces(inside) > maxEmitted)
        continue;
      if (isLoose(producer) ? isCheap(producer) || reads.atMostOnce(inside, isCostly(producer))
                            : isMovedReshape(producer))
        return producer;
    }
    return nullptr;
  }

  /// A reshape that is as cheap inside as outside, or cheaper, with what stands behind it.
  static bool isMovedReshape(Operation *producer) {
    if (!isa<ir::ReshapeOp, ir::RebindOp>(producer))
      return false;
    return isUnitReshape(producer) ? isLooseBehind(producer)
                                   : isMadeOfWindows(producer->getResult(0));
  }

  /// Whether a reshape stands between the fusion and an operation that may move into it.
  static bool isLooseBehind(Operation *reshape) {
    Operation *source = reshape->getOperand(0).getDefiningOp();
    return source && source->hasOneUse() && isLoose(source);
  }
};

} // namespace
} // namespace kiln::passes
