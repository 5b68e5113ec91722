#include "passes/Fusing.h"
#include "passes/Passes.h"
#include "passes/cpu/KernelForms.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSEEPILOGUEPASS
#include "passes/Passes.h.inc"

namespace {

Operation *linearOf(ir::FusionOp fusion) {
  for (Operation &op : fusion.getBody().front())
    if (isa<ir::LinearOp>(op))
      return &op;
  return nullptr;
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
  bool fits = succeeded(analyseLinear(grown.getBody().front(), linearOf(grown)));
  holder->erase();
  grown.erase();
  return fits;
}

struct FuseEpiloguePass : impl::FuseEpiloguePassBase<FuseEpiloguePass> {
  void runOnOperation() override {
    Block *block = mainBlock(getOperation());
    if (!block)
      return;
    SmallVector<ir::LinearOp> linears(block->getOps<ir::LinearOp>());
    for (ir::LinearOp linear : linears) {
      if (!isSupportedLinear(linear))
        continue;
      ir::FusionOp fusion = wrapInFusion(linear);
      while (Operation *user = findUser(fusion))
        fusion = absorbUser(fusion, user);
      sortBlock(*block);
    }
  }

  /// The first operation in program order that may follow the linear in its kernel.
  static Operation *findUser(ir::FusionOp fusion) {
    Operation *first = nullptr;
    for (Value result : fusion.getResults())
      for (Operation *user : result.getUsers()) {
        if (user->getBlock() != fusion->getBlock() || !canFuseIntoLinearEpilogue(user, result) ||
            !canAbsorbUser(fusion, user) || !wouldFit(fusion, user))
          continue;
        if (!first || user->isBeforeInBlock(first))
          first = user;
      }
    return first;
  }
};

} // namespace
} // namespace kiln::passes
