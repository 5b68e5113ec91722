#include "tools/kiln-opt/PrintPhases.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace kiln {

static llvm::cl::opt<bool> &printPhasesOption() {
  static llvm::cl::opt<bool> option(
      "kiln-print-phases",
      llvm::cl::desc("With a pipeline, print the IR after each named phase to standard error"));
  return option;
}

void registerPrintPhases() { printPhasesOption(); }

namespace {
struct PrintPhasePass : PassWrapper<PrintPhasePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PrintPhasePass)
  explicit PrintPhasePass(std::string phase) : phase(std::move(phase)) {}

  StringRef getName() const final { return "PrintPhase"; }
  void runOnOperation() final {
    llvm::errs() << "// ----- // after phase \"" << phase << "\" // ----- //\n";
    getOperation()->print(llvm::errs(), OpPrintingFlags().useLocalScope());
    llvm::errs() << "\n";
    markAllAnalysesPreserved();
  }

  std::string phase;
};
} // namespace

void printAfterPhase(OpPassManager &passes, const passes::Phase &phase) {
  if (printPhasesOption())
    passes.addPass(std::make_unique<PrintPhasePass>(phase.name));
}

} // namespace kiln
