#include "codegen/gpu/PtxEmitter.h"

#include "codegen/cpu/OptimizeIR.h"
#include "codegen/gpu/Libdevice.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

using namespace llvm;

namespace kiln::codegen {
namespace {

constexpr StringLiteral tripleName = "nvptx64-nvidia-cuda";

/// The least version of PTX that knows the chip and what kernels use (8.0: CUDA 12.0; 8.6 brought
/// sm_100).
StringRef ptxVersion(StringRef chip) { return chip.starts_with("sm_10") ? "+ptx86" : "+ptx80"; }

Expected<std::unique_ptr<TargetMachine>> createMachine(StringRef chip) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  Triple triple(tripleName);
  std::string message;
  const Target *backend = TargetRegistry::lookupTarget(triple, message);
  if (!backend)
    return createStringError(message);
  TargetOptions options;
  // Separate multiplications and additions are rounded separately, as on a CPU.
  options.AllowFPOpFusion = FPOpFusion::Strict;
  std::unique_ptr<TargetMachine> machine(
      backend->createTargetMachine(triple, chip, ptxVersion(chip), options, Reloc::PIC_,
                                   std::nullopt, CodeGenOptLevel::Aggressive));
  if (!machine)
    return createStringError("LLVM has no target machine for " + chip.str());
  return machine;
}

/// The device code translated and optimised, with all that it needs to live.
struct Prepared {
  LLVMContext context;
  std::unique_ptr<TargetMachine> machine;
  std::unique_ptr<Module> module;
};

mlir::gpu::GPUModuleOp deviceCode(mlir::ModuleOp module) {
  auto found = module.getOps<mlir::gpu::GPUModuleOp>();
  return found.empty() ? mlir::gpu::GPUModuleOp() : *found.begin();
}

Error prepare(mlir::ModuleOp source, const PtxOptions &options, Prepared &out) {
  mlir::gpu::GPUModuleOp device = deviceCode(source);
  if (!device)
    return createStringError("the module holds no gpu.module");
  auto machine = createMachine(options.chip);
  if (!machine)
    return machine.takeError();
  out.machine = std::move(*machine);

  // The translation wants a module of its own: it takes layout and triple from its attributes.
  mlir::OwningOpRef<mlir::ModuleOp> alone = mlir::ModuleOp::create(device.getLoc());
  for (mlir::Operation &op : *device.getBody())
    alone->push_back(op.clone());
  mlir::Builder b(source.getContext());
  (*alone)->setAttr(mlir::LLVM::LLVMDialect::getDataLayoutAttrName(),
                    b.getStringAttr(out.machine->createDataLayout().getStringRepresentation()));
  (*alone)->setAttr(mlir::LLVM::LLVMDialect::getTargetTripleAttrName(),
                    b.getStringAttr(tripleName));
  std::string messages;
  mlir::ScopedDiagnosticHandler handler(source.getContext(), [&](mlir::Diagnostic &diagnostic) {
    messages += diagnostic.str() + '\n';
    return mlir::success();
  });
  out.module = mlir::translateModuleToLLVMIR(*alone, out.context, "kiln",
                                             /*disableVerification=*/!options.verify);
  if (!out.module)
    return createStringError("translation to LLVM IR failed: " + messages);
  if (Error error = linkLibdevice(*out.module))
    return error;
  for (Function &function : *out.module) {
    if (function.isDeclaration())
      continue;
    function.setDoesNotThrow();
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-cpu", options.chip);
  }
  optimizeIR(*out.module, *out.machine);
  if (options.verify) {
    std::string errors;
    raw_string_ostream stream(errors);
    if (verifyModule(*out.module, &stream))
      return createStringError(errors);
  }
  return Error::success();
}

} // namespace

void registerGpuTranslation(mlir::DialectRegistry &registry) {
  registry.insert<mlir::gpu::GPUDialect, mlir::NVVM::NVVMDialect>();
  mlir::registerNVVMDialectTranslation(registry);
}

Expected<std::string> emitPtx(mlir::ModuleOp module, const PtxOptions &options) {
  Prepared prepared;
  if (Error error = prepare(module, options, prepared))
    return error;
  SmallVector<char, 0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (prepared.machine->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::AssemblyFile,
                                            /*DisableVerify=*/!options.verify))
    return createStringError("LLVM cannot emit PTX for " + options.chip);
  passes.run(*prepared.module);
  return std::string(text.begin(), text.end());
}

Expected<std::string> emitDeviceIR(mlir::ModuleOp module, const PtxOptions &options) {
  Prepared prepared;
  if (Error error = prepare(module, options, prepared))
    return error;
  std::string text;
  raw_string_ostream stream(text);
  prepared.module->print(stream, nullptr);
  return text;
}

void eraseDeviceCode(mlir::ModuleOp module) {
  if (mlir::gpu::GPUModuleOp device = deviceCode(module))
    device.erase();
}

} // namespace kiln::codegen
