#include "codegen/cpu/CodegenPasses.h"

#include "codegen/Target.h"
#include "codegen/cpu/FlatImage.h"
#include "codegen/cpu/LowerToLLVM.h"
#include "codegen/cpu/ObjectEmitter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace kiln::codegen {
namespace {

struct EmitPass : PassWrapper<EmitPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(EmitPass)
  EmitPass() = default;
  EmitPass(const EmitPass &other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "kiln-emit"; }
  StringRef getDescription() const final {
    return "Print the machine code of a module in the LLVM dialect to standard output";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registerLLVMTranslation(registry);
  }

  void runOnOperation() final {
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
    auto chosen = Target::byName(target);
    if (!chosen)
      return chosen.takeError();
    EmitOptions options;
    options.entry = entry;
    options.verify = true;
    if (kind == "asm")
      return emitAssembly(getOperation(), *chosen, options);
    if (kind == "llvm")
      return emitLLVMIR(getOperation(), *chosen, options);
    if (kind != "symbols")
      return llvm::createStringError("unknown kind '" + kind + "': choose asm, llvm or symbols");
    auto object = emitObject(getOperation(), *chosen, options);
    if (!object)
      return object.takeError();
    auto image = makeFlatImage({*object}, entry);
    if (!image)
      return image.takeError();
    std::string text = llvm::formatv("image: {0} bytes\n", image->bytes.size());
    for (const FlatImage::Symbol &symbol : image->symbols)
      text += llvm::formatv("{0,6} {1,6} {2}\n", symbol.offset, symbol.sizeBytes, symbol.name);
    return text;
  }

  Option<std::string> target{*this, "target", llvm::cl::desc("see codegen/Target.h"),
                             llvm::cl::init("native")};
  Option<std::string> kind{*this, "kind", llvm::cl::desc("asm, llvm or symbols"),
                           llvm::cl::init("asm")};
  Option<std::string> entry{*this, "entry", llvm::cl::desc("the function that stays visible"),
                            llvm::cl::init("kiln_entry")};
};

} // namespace

void registerCodegenPasses() {
  registerPass([] { return createLowerToLLVMPass(); });
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<EmitPass>(); });
}

} // namespace kiln::codegen
