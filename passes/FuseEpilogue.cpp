#include "passes/Fusing.h"
#include "passes/Passes.h"
#include "passes/cpu/KernelForms.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEEPILOGUEPASS
#include "passes/Passes.h.inc"

namespace {

/// Whether a product's kernel takes in what follows it.
bool isProduct(Operation *op) { return isa<ir::LinearOp, ir::MatmulOp, ir::AttentionOp>(op); }

Operation *productOf(ir::FusionOp fusion) {
  for (Operation &op : fusion.getBody().front())
    if (isProduct(&op))
      return &op;
  return nullptr;
}

bool canFollow(Operation *product, Operation *op, Value value) {
  return isa<ir::LinearOp>(product) ? canFuseIntoLinearEpilogue(op, value)
                                    : canFuseIntoProductEpilogue(op, value);
}

/// Whether a linear alone is a kernel: its weights come packed, so x is another value.
bool hasKernel(ir::LinearOp linear) {
  return isSupportedLinear(linear) && !llvm::is_contained(linear.getWeights(), linear.getX());
}

bool hasKernel(ir::FusionOp fusion) {
  Operation *product = productOf(fusion);
  Block &body = fusion.getBody().front();
  return succeeded(isa<ir::LinearOp>(product) ? LogicalResult(analyseLinear(body, product))
                                              : checkElementwiseBehind(body, product));
}

/// Whether the kernel of the fusion with `user` inside has a form that can be emitted: tried on a
/// copy.
bool wouldFit(ir::FusionOp fusion, Operation *user) {
  OpBuilder b(fusion);
  auto copy = cast<ir::FusionOp>(b.clone(*fusion));
  IRMapping mapping;
  for (auto [from, to] : llvm::zip(fusion.getResults(), copy.getResults()))
    mapping.map(from, to);
  b.setInsertionPointAfter(user);
  Operation *copiedUser = b.clone(*user, mapping);
  // Whatever else needs a result of the fusion still needs it.
  SmallVector<Value> kept;
  for (auto [from, to] : llvm::zip(fusion.getResults(), copy.getResults()))
    if (llvm::any_of(from.getUsers(), [&](Operation *other) { return other != user; }))
      kept.push_back(to);
  OperationState state(user->getLoc(), "builtin.unrealized_conversion_cast");
  state.addOperands(kept);
  Operation *holder = b.create(state);
  ir::FusionOp grown = absorbUser(copy, copiedUser);
  bool fits = hasKernel(grown);
  holder->erase();
  grown.erase();
  return fits;
}

/// Whether a reduction takes the operation in at no cost: it reads what the product stores instead
/// of what the operation would, and kernels that differ in it alone stay one.
bool isForReduction(Operation *op) {
  if (!op->hasTrait<ir::KilnElementwise>() || !op->hasOneUse())
    return false;
  Operation *user = *op->user_begin();
  return user->hasTrait<ir::KilnReduction>() || isa<ir::SoftmaxOp>(user);
}

struct FuseEpiloguePass : impl::FuseEpiloguePassBase<FuseEpiloguePass> {
  void runOnOperation() override {
    for (Block *block : programBlocks(getOperation()))
      fuse(*block);
  }

private:
  static void fuse(Block &block) {
    SmallVector<Operation *> products;
    for (Operation &op : block)
      if (isProduct(&op))
        products.push_back(&op);
    for (Operation *product : products) {
      if (auto linear = dyn_cast<ir::LinearOp>(product); linear && !hasKernel(linear))
        continue;
      ir::FusionOp fusion = wrapInFusion(product);
      while (Operation *user = findUser(fusion))
        fusion = absorbUser(fusion, user);
    }
  }

  /// The first operation in program order that may follow the product in its kernel.
  static Operation *findUser(ir::FusionOp fusion) {
    if (isFull(fusion))
      return nullptr;
    Operation *product = productOf(fusion);
    Operation *first = nullptr;
    for (Value result : fusion.getResults())
      for (Operation *user : result.getUsers()) {
        if ((first && !user->isBeforeInBlock(first)) || user->getBlock() != fusion->getBlock() ||
            !canFollow(product, user, result) || isForReduction(user) ||
            !canAbsorbUser(fusion, user) || !wouldFit(fusion, user))
          continue;
        first = user;
      }
    return first;
  }
};

} // namespace
} // namespace kiln::passes
