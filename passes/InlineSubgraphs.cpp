#include "ir/KilnDialect.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace kiln::passes {
#define GEN_PASS_DEF_INLINESUBGRAPHSPASS
#include "passes/Passes.h.inc"

namespace {

void inlineCall(func::CallOp call, func::FuncOp callee) {
  Block &body = callee.getBody().front();
  IRMapping mapping;
  mapping.map(body.getArguments(), call.getOperands());
  OpBuilder b(call);
  for (Operation &op : body.without_terminator())
    b.clone(op, mapping);
  for (auto [result, returned] :
       llvm::zip_equal(call.getResults(), body.getTerminator()->getOperands()))
    result.replaceAllUsesWith(mapping.lookup(returned));
  call.erase();
}

struct InlineSubgraphsPass : impl::InlineSubgraphsPassBase<InlineSubgraphsPass> {
  using InlineSubgraphsPassBase::InlineSubgraphsPassBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main)
      return;
    llvm::MapVector<func::FuncOp, SmallVector<func::CallOp>> calls; // by callee
    for (auto call : main.getOps<func::CallOp>()) {
      auto callee = getOperation().lookupSymbol<func::FuncOp>(call.getCallee());
      if (callee && callee.getBody().hasOneBlock())
        calls[callee].push_back(call);
    }
    for (auto &[callee, callers] : calls) {
      if (once && callers.size() > 1)
        continue;
      for (func::CallOp call : callers)
        inlineCall(call, callee);
      if (callee.isPrivate() && callee.symbolKnownUseEmpty(getOperation()))
        callee.erase();
    }
  }
};

} // namespace
} // namespace kiln::passes
