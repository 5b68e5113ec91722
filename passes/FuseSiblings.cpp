#include "passes/Fusing.h"
#include "passes/Passes.h"
#include "passes/cpu/KernelForms.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_FUSESIBLINGSPASS
#include "passes/Passes.h.inc"

namespace {

/// Why a linear cannot join those that it shares x with; empty if it can.
StringRef whyNot(ArrayRef<ir::LinearOp> group, ir::LinearOp other) {
  ir::LinearOp first = group.front();
  if (first.getTransposed() != other.getTransposed())
    return "one weight is [N, K], the other [K, N]";
  if (first.getBiases().empty() != other.getBiases().empty())
    return "one has a bias, the other none";
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  if (element(first.getWeights()[0]) != element(other.getWeights()[0]))
    return "the weights differ in dtype";
  if (hasPackedWeights(first) != hasPackedWeights(other))
    return "one weight stays packed, the other does not";
  for (ir::LinearOp linear : group)
    for (Value weight : linear.getWeights())
      if (llvm::is_contained(other.getWeights(), weight))
        return "the weight is the same: a kernel reads a packed operand in one place";
  for (Value operand : llvm::drop_begin(other->getOperands())) {
    Operation *source = operand.getDefiningOp();
    if (source && source->getBlock() == first->getBlock() && !source->isBeforeInBlock(first))
      return "a weight or a bias is computed behind the first linear";
  }
  return "";
}

struct FuseSiblingsPass : impl::FuseSiblingsPassBase<FuseSiblingsPass> {
  void runOnOperation() override {
    for (Block *block : programBlocks(getOperation()))
      fuse(*block);
  }

private:
  static void fuse(Block &block) {
    llvm::MapVector<Value, SmallVector<SmallVector<ir::LinearOp>>> groups; // by x
    for (auto linear : block.getOps<ir::LinearOp>()) {
      if (linear->use_empty())
        continue;
      auto &ofInput = groups[linear.getX()];
      auto *fitting =
          llvm::find_if(ofInput, [&](const auto &group) { return whyNot(group, linear).empty(); });
      if (fitting == ofInput.end())
        ofInput.push_back({linear});
      else
        fitting->push_back(linear);
    }
    for (auto &[x, ofInput] : groups)
      for (auto &group : ofInput)
        if (group.size() > 1)
          merge(group);
  }

  static void merge(ArrayRef<ir::LinearOp> group) {
    SmallVector<Value> weights, biases;
    SmallVector<Location> locations;
    for (ir::LinearOp linear : group) {
      llvm::append_range(weights, linear.getWeights());
      llvm::append_range(biases, linear.getBiases());
      locations.push_back(linear.getLoc());
    }
    // At the first one's place: x and the weights are there.
    ir::LinearOp first = group.front();
    OpBuilder b(first);
    // Not the x that they were found by: if a linear made it, that one may be merged by now.
    auto merged = ir::LinearOp::create(b, b.getFusedLoc(locations), first.getX(), weights, biases,
                                       first.getTransposed());
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
