#include "ir/KilnDialect.h"
#include "passes/Fusing.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_OUTLINEPASS
#include "passes/Passes.h.inc"

namespace {

/// "gather_add_layer_norm": what a kernel does, for people. Where that is long, without its views.
std::string describe(Block &body) {
  constexpr size_t longest = 60;
  auto join = [&](bool withViews) {
    std::string name;
    for (Operation &op : body.without_terminator()) {
      bool isView = op.hasTrait<ir::KilnView>() || isa<ir::ConcatOp>(op);
      if ((!isRepeatable(&op) || body.getOperations().size() == 2) && (withViews || !isView))
        name += (name.empty() ? "" : "_") + op.getName().stripDialect().str();
    }
    return name;
  };
  std::string name = join(/*withViews=*/true);
  if (name.size() > longest)
    if (std::string shorter = join(/*withViews=*/false); !shorter.empty())
      name = shorter;
  return name.empty() ? "copy" : name.substr(0, longest);
}

class Outliner {
public:
  explicit Outliner(ModuleOp module) : module(module) {
    for (auto function : module.getOps<func::FuncOp>())
      used.insert(function.getSymName());
  }

  void run(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
      if (!isa<ir::FusionOp, ir::ReshapeOp, ir::RebindOp, ir::LaunchOp, func::CallOp>(op) &&
          !isRepeatable(&op) && !isPackedPermute(&op) && !isCollective(&op) &&
          !decodesForLinears(&op))
        wrapInFusion(&op);
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator()))
      if (isRepeatable(&op) && usedOutsideFusions(&op))
        wrapInFusion(&op);
    for (auto fusion : llvm::make_early_inc_range(block.getOps<ir::FusionOp>()))
      outline(fusion);
    // A reverse iterator holds the operation behind its own, so it cannot run past an erased one.
    SmallVector<Operation *> operations;
    for (Operation &op : block.without_terminator())
      operations.push_back(&op);
    for (Operation *op : llvm::reverse(operations))
      if (isRepeatable(op) && op->use_empty())
        op->erase();
  }

private:
  static bool usedOutsideFusions(Operation *op) {
    return llvm::any_of(op->getUsers(), [](Operation *user) { return !isa<ir::FusionOp>(user); });
  }

  /// Constants among the fusion's inputs move into its body.
  void sinkRepeatable(ir::FusionOp fusion) {
    Block &body = fusion.getBody().front();
    OpBuilder b = OpBuilder::atBlockBegin(&body);
    for (int64_t i = fusion.getInputs().size() - 1; i >= 0; --i) {
      Operation *source = fusion.getInputs()[i].getDefiningOp();
      if (!isRepeatable(source))
        continue;
      b.setInsertionPointToStart(&body);
      body.getArgument(i).replaceAllUsesWith(b.clone(*source)->getResult(0));
      body.eraseArgument(i);
      fusion.getInputsMutable().erase(i);
    }
  }

  void outline(ir::FusionOp fusion) {
    sinkRepeatable(fusion);
    func::FuncOp kernel = findOrCreateKernel(fusion);
    OpBuilder b(fusion);
    auto launch = ir::LaunchOp::create(b, fusion.getLoc(), fusion.getResultTypes(),
                                       kernel.getSymName(), fusion.getInputs());
    fusion->replaceAllUsesWith(launch.getResults());
    fusion.erase();
  }

  func::FuncOp findOrCreateKernel(ir::FusionOp fusion) {
    Block &body = fusion.getBody().front();
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    auto type = b.getFunctionType(body.getArgumentTypes(), fusion.getResultTypes());
    std::string base = describe(body);
    auto kernel = func::FuncOp::create(b, fusion.getLoc(), base, type);
    kernel.setPrivate();
    kernel->setAttr(ir::kernelAttrName, b.getUnitAttr());
    kernel.getBody().takeBody(fusion.getBody());
    Operation *yield = kernel.getBody().front().getTerminator();
    b.setInsertionPoint(yield);
    func::ReturnOp::create(b, yield->getLoc(), yield->getOperands());
    yield->erase();
    // Equal kernels have equal descriptions, so only those are compared.
    for (func::FuncOp other : kernels[base])
      if (other.getFunctionType() == type &&
          OperationEquivalence::isRegionEquivalentTo(&other.getBody(), &kernel.getBody(),
                                                     OperationEquivalence::IgnoreLocations) &&
          indexLocations(other) == indexLocations(kernel)) {
        kernel.erase();
        return other;
      }
    std::string name = base;
    for (int suffix = 1; !used.insert(name).second; ++suffix)
      name = base + "_" + std::to_string(suffix);
    kernel.setSymName(name);
    kernels[base].push_back(kernel);
    return kernel;
  }

  /// An index that is out of range is reported with the place of its operation: kernels with
  /// indices of several places are not shared.
  static SmallVector<Location> indexLocations(func::FuncOp kernel) {
    SmallVector<Location> locations;
    for (Operation &op : kernel.getBody().front())
      if (isa<ir::GatherOp, ir::ScatterOp, ir::GatherElementsOp, ir::ScatterElementsOp>(op))
        locations.push_back(op.getLoc());
    return locations;
  }

  ModuleOp module;
  llvm::StringMap<SmallVector<func::FuncOp>> kernels; // by description
  llvm::StringSet<> used;                             // names of functions
};

struct OutlinePass : impl::OutlinePassBase<OutlinePass> {
  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main || !main.getBody().hasOneBlock()) {
      getOperation().emitError("needs a function @main of one block");
      return signalPassFailure();
    }
    Outliner outliner(getOperation());
    for (Block *block : programBlocks(getOperation()))
      outliner.run(*block);
  }
};

} // namespace
} // namespace kiln::passes
