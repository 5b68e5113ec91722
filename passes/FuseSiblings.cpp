#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSESIBLINGSPASS
#include "passes/Passes.h.inc"

namespace {

/// Why two linears cannot be one; empty if they can.
StringRef whyNot(ir::LinearOp first, ir::LinearOp other) {
  if (first.getTransposed() != other.getTransposed())
    return "one weight is [N, K], the other [K, N]";
  if (first.getBiases().empty() != other.getBiases().empty())
    return "one has a bias, the other none";
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  if (element(first.getWeights()[0]) != element(other.getWeights()[0]))
    return "the weights differ in dtype";
  for (Value bias : other.getBiases())
    if (bias.getDefiningOp())
      return "a bias is computed";
  return "";
}

struct FuseSiblingsPass : impl::FuseSiblingsPassBase<FuseSiblingsPass> {
  void runOnOperation() override {
    Block *block = mainBlock(getOperation());
    if (!block)
      return;
    llvm::MapVector<Value, SmallVector<SmallVector<ir::LinearOp>>> groups; // by x
    for (auto linear : block->getOps<ir::LinearOp>()) {
      auto &ofInput = groups[linear.getX()];
      auto *fitting = llvm::find_if(
          ofInput, [&](const auto &group) { return whyNot(group.front(), linear).empty(); });
      if (fitting == ofInput.end())
        ofInput.push_back({linear});
      else
        fitting->push_back(linear);
    }
    for (auto &[x, ofInput] : groups)
      for (auto &group : ofInput)
        if (group.size() > 1)
          merge(x, group);
  }

  static void merge(Value x, ArrayRef<ir::LinearOp> group) {
    SmallVector<Value> weights, biases;
    for (ir::LinearOp linear : group) {
      llvm::append_range(weights, linear.getWeights());
      llvm::append_range(biases, linear.getBiases());
    }
    // At the first one's place: x and the weights are there.
    ir::LinearOp first = group.front();
    OpBuilder b(first);
    auto merged =
        ir::LinearOp::create(b, first.getLoc(), x, weights, biases, first.getTransposed());
    unsigned next = 0;
    for (ir::LinearOp linear : group) {
      linear->replaceAllUsesWith(merged->getResults().slice(next, linear->getNumResults()));
      next += linear->getNumResults();
    }
    for (ir::LinearOp linear : group)
      linear.erase();
  }
};

} // namespace
} // namespace kiln::passes
