#include "codegen/cpu/ObjectEmitter.h"

#include "codegen/Target.h"
#include "codegen/cpu/OptimizeIR.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Export.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <chrono>
#include <mutex>

using namespace llvm;

namespace kiln::codegen {
namespace {

constexpr StringLiteral tripleName = "x86_64-unknown-linux-gnu";

/// Adds the time until the end of its scope to a counter, if there is one.
class ScopedTime {
public:
  explicit ScopedTime(int64_t *ns) : ns(ns), start(std::chrono::steady_clock::now()) {}
  ~ScopedTime() {
    if (ns)
      *ns += std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
  }

private:
  int64_t *ns;
  std::chrono::steady_clock::time_point start;
};

Expected<std::unique_ptr<TargetMachine>> createMachine(const Target &target, int level) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  Triple triple(tripleName);
  std::string message;
  const llvm::Target *backend = TargetRegistry::lookupTarget(triple, message);
  if (!backend)
    return createStringError(message);
  TargetOptions options;
  options.NoTrappingFPMath = true;
  options.ExceptionModel = ExceptionHandling::None;
  std::unique_ptr<TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, options, Reloc::PIC_, CodeModel::Small,
      CodeGenOpt::getLevel(level).value_or(CodeGenOptLevel::Default)));
  if (!machine)
    return createStringError("LLVM has no target machine for " + target.name);
  return machine;
}

/// Makes the module closed: one visible function, everything else internal, no library, no
/// unwinding.
Error closeModule(Module &module, const Target &target, StringRef entry) {
  Function *entryFunction = module.getFunction(entry);
  if (!entryFunction || entryFunction->isDeclaration())
    return createStringError("the module does not define the function '" + entry + "'");
  for (Function &function : module) {
    function.setDSOLocal(true); // even a declaration: then the reference names it without a GOT
    if (function.isDeclaration())
      continue;
    if (&function != entryFunction)
      function.setLinkage(GlobalValue::InternalLinkage);
    function.setDoesNotThrow();
    function.addFnAttr("no-builtins");
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
  }
  for (GlobalVariable &global : module.globals()) {
    global.setDSOLocal(true);
    if (!global.isDeclaration())
      global.setLinkage(GlobalValue::InternalLinkage);
  }
  module.setPICLevel(PICLevel::SmallPIC);
  return Error::success();
}

/// Has instruction selection do without optimisation what runs once a call and holds no loop: the
/// entry and the functions that only it calls. For an encoder that is a third of the code and saved
/// a quarter of the time to machine code (195 to 150 ms), for about a microsecond a call.
void sparePrologues(Module &module, StringRef entryName) {
  Function *entry = module.getFunction(entryName);
  for (Function &function : module) {
    bool runsOnce = &function == entry || llvm::all_of(function.uses(), [&](const Use &use) {
      auto *call = dyn_cast<CallInst>(use.getUser());
      return call && call->isCallee(&use) && call->getFunction() == entry;
    });
    if (function.isDeclaration() || !runsOnce || function.hasFnAttribute(Attribute::AlwaysInline))
      continue;
    DominatorTree dominators(function);
    if (!LoopInfo(dominators).empty())
      continue;
    function.addFnAttr(Attribute::OptimizeNone);
    function.addFnAttr(Attribute::NoInline);
  }
}

/// A module translated and optimised, with all that it needs to live.
struct Prepared {
  LLVMContext context;
  std::unique_ptr<TargetMachine> machine;
  std::unique_ptr<Module> module;
  std::string errors; // what LLVM reported
};

Error prepare(mlir::ModuleOp source, const Target &target, const EmitOptions &options,
              Prepared &out) {
  auto machine = createMachine(target, options.codegenLevel);
  if (!machine)
    return machine.takeError();
  out.machine = std::move(*machine);
  out.context.setDiscardValueNames(true);
  out.context.setDiagnosticHandlerCallBack(
      [](const DiagnosticInfo *info, void *errors) {
        if (info->getSeverity() != DS_Error)
          return;
        raw_string_ostream stream(*static_cast<std::string *>(errors));
        DiagnosticPrinterRawOStream printer(stream);
        info->print(printer);
        stream << '\n';
      },
      &out.errors);

  {
    ScopedTime time(options.times ? &options.times->translateNs : nullptr);
    // The translation takes the alignment of plain loads and stores from the data layout.
    source->setAttr(
        mlir::LLVM::LLVMDialect::getDataLayoutAttrName(),
        mlir::StringAttr::get(source.getContext(),
                              out.machine->createDataLayout().getStringRepresentation()));
    source->setAttr(mlir::LLVM::LLVMDialect::getTargetTripleAttrName(),
                    mlir::StringAttr::get(source.getContext(), tripleName));
    std::string messages;
    mlir::ScopedDiagnosticHandler handler(source.getContext(), [&](mlir::Diagnostic &diagnostic) {
      messages += diagnostic.str() + '\n';
      return mlir::success();
    });
    out.module = mlir::translateModuleToLLVMIR(source, out.context, "kiln",
                                               /*disableVerification=*/!options.verify);
    if (!out.module)
      return createStringError("translation to LLVM IR failed: " + messages);
  }
  if (Error error = closeModule(*out.module, target, options.entry))
    return error;
  if (options.optimize) {
    ScopedTime time(options.times ? &options.times->optimizeNs : nullptr);
    optimizeIR(*out.module, *out.machine);
    sparePrologues(*out.module, options.entry);
  }
  if (options.verify) {
    raw_string_ostream stream(out.errors);
    verifyModule(*out.module, &stream);
  }
  return out.errors.empty() ? Error::success() : createStringError(out.errors);
}

Error generate(mlir::ModuleOp source, const Target &target, const EmitOptions &options,
               CodeGenFileType type, raw_pwrite_stream &stream) {
  Prepared prepared;
  if (Error error = prepare(source, target, options, prepared))
    return error;
  ScopedTime time(options.times ? &options.times->codegenNs : nullptr);
  legacy::PassManager passes;
  TargetLibraryInfoImpl noLibrary(prepared.machine->getTargetTriple());
  noLibrary.disableAllFunctions();
  passes.add(new TargetLibraryInfoWrapperPass(noLibrary));
  if (prepared.machine->addPassesToEmitFile(passes, stream, nullptr, type,
                                            /*DisableVerify=*/!options.verify))
    return createStringError("LLVM cannot emit this kind of file for " + target.name);
  passes.run(*prepared.module);
  return prepared.errors.empty() ? Error::success() : createStringError(prepared.errors);
}

} // namespace

Expected<std::vector<char>> emitObject(mlir::ModuleOp module, const Target &target,
                                       const EmitOptions &options) {
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  if (Error error = generate(module, target, options, CodeGenFileType::ObjectFile, stream))
    return error;
  return std::vector<char>(bytes.begin(), bytes.end());
}

Expected<std::string> emitAssembly(mlir::ModuleOp module, const Target &target,
                                   const EmitOptions &options) {
  SmallVector<char, 0> text;
  raw_svector_ostream stream(text);
  if (Error error = generate(module, target, options, CodeGenFileType::AssemblyFile, stream))
    return error;
  return std::string(text.begin(), text.end());
}

Expected<std::string> emitLLVMIR(mlir::ModuleOp module, const Target &target,
                                 const EmitOptions &options) {
  Prepared prepared;
  if (Error error = prepare(module, target, options, prepared))
    return error;
  std::string text;
  raw_string_ostream stream(text);
  prepared.module->print(stream, nullptr);
  return text;
}

} // namespace kiln::codegen
