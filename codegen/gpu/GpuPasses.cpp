#include "codegen/gpu/GpuPasses.h"

#include "codegen/cpu/LowerToLLVM.h"
#include "codegen/gpu/PtxEmitter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace kiln::codegen {
namespace {

struct ToPtxPass : PassWrapper<ToPtxPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ToPtxPass)
  ToPtxPass() = default;
  ToPtxPass(const ToPtxPass &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "kiln-to-ptx"; }
  StringRef getDescription() const final {
    return "Print the PTX of what --kiln-gpu-pipeline made to standard output";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registerLLVMTranslation(registry);
    registerGpuTranslation(registry);
  }

  void runOnOperation() final {
    OpPassManager passes(ModuleOp::getOperationName());
    addLowerToLLVM(passes);
    if (failed(runPipeline(passes, getOperation())))
      return signalPassFailure();
    auto text = emit();
    if (text) {
      llvm::outs() << *text;
      llvm::outs().flush();
      return;
    }
    getOperation().emitError() << llvm::toString(text.takeError());
    signalPassFailure();
  }

private:
  llvm::Expected<std::string> emit() {
    PtxOptions options;
    options.verify = true;
    options.chip = chip;
    auto description = getOperation()->getAttrOfType<DictionaryAttr>("kiln.artifact");
    if (options.chip.empty() && description)
      if (auto lowered = description.getAs<StringAttr>("chip"))
        options.chip = lowered.str();
    if (options.chip.empty())
      return llvm::createStringError("say for which chip: --kiln-to-ptx=chip=sm_80");
    return kind == "llvm" ? emitDeviceIR(getOperation(), options)
                          : emitPtx(getOperation(), options);
  }

  Option<std::string> chip{*this, "chip",
                           llvm::cl::desc("the one that kernels were made for, or a later one")};
  Option<std::string> kind{*this, "kind", llvm::cl::desc("ptx or llvm"), llvm::cl::init("ptx")};
};

} // namespace

void registerGpuPasses() {
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<ToPtxPass>(); });
}

} // namespace kiln::codegen
