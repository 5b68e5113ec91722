#include "codegen/cpu/ObjectEmitter.h"

#include "codegen/PhaseTimer.h"
#include "codegen/Target.h"
#include "codegen/cpu/OptimizeIR.h"
#include "codegen/cpu/SplitModule.h"

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

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

using namespace llvm;

namespace kiln::codegen {
namespace {

constexpr StringLiteral tripleName = "x86_64-unknown-linux-gnu";

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
/// unwinding. What other parts of the program call is internal, too: the image finds it by name.
void closeModule(Module &module, const Target &target, StringRef entry) {
  Function *entryFunction = module.getFunction(entry);
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
    if (function.isDeclaration() || !runsOnce || function.hasFnAttribute(repeatedAttribute) ||
        function.hasFnAttribute(Attribute::AlwaysInline))
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

/// What one program after the other goes through: the translation works on its MLIR context.
Error translate(mlir::ModuleOp source, const Target &target, const EmitOptions &options,
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
    PhaseTimer timer(options.times, "translate");
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
  closeModule(*out.module, target, options.entry);
  return Error::success();
}

/// What can be done of several programs at the same time: LLVM's passes.
Error optimise(const EmitOptions &options, Prepared &out) {
  if (options.optimize) {
    PhaseTimer timer(options.times, "optimize");
    optimizeIR(*out.module, *out.machine);
    sparePrologues(*out.module, options.entry);
  }
  if (options.verify) {
    raw_string_ostream stream(out.errors);
    verifyModule(*out.module, &stream);
  }
  return out.errors.empty() ? Error::success() : createStringError(out.errors);
}

Error prepare(mlir::ModuleOp source, const Target &target, const EmitOptions &options,
              Prepared &out) {
  if (Error error = translate(source, target, options, out))
    return error;
  const Function *entry = out.module->getFunction(options.entry);
  if (!entry || entry->isDeclaration())
    return createStringError("the module does not define the function '" + options.entry + "'");
  return optimise(options, out);
}

Error generate(Prepared &prepared, const Target &target, const EmitOptions &options,
               CodeGenFileType type, raw_pwrite_stream &stream) {
  PhaseTimer timer(options.times, "machine code");
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
  Prepared prepared;
  if (Error error = prepare(module, target, options, prepared))
    return error;
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  if (Error error = generate(prepared, target, options, CodeGenFileType::ObjectFile, stream))
    return error;
  return std::vector<char>(bytes.begin(), bytes.end());
}

namespace {

/// Parts of a program on their way to objects: translated one after the other, then by any thread.
class PartEmitter {
public:
  PartEmitter(const Target &target, const EmitOptions &options, size_t count)
      : target(target), options(options), parts(count) {
    this->options.times = nullptr; // phases of several threads would not add up
  }

  /// Gives part `index` to the threads. False: `take` says why.
  bool add(size_t index, mlir::ModuleOp source) {
    Part &part = parts[index];
    if (Error error = translate(source, target, options, part.prepared)) {
      part.error = toString(std::move(error));
      return false;
    }
    {
      std::lock_guard lock(mutex);
      ready = index + 1;
    }
    changed.notify_one();
    return true;
  }
  /// No parts will come any more.
  void close() {
    std::lock_guard lock(mutex);
    closed = true;
    changed.notify_all();
  }

  /// Emits parts until there are none, waiting for those that are still translated.
  void work() {
    while (true) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return next < ready || closed; });
      if (next == ready)
        return;
      Part &part = parts[next++];
      lock.unlock();
      part.error = emit(part);
    }
  }

  Expected<std::vector<std::vector<char>>> take() {
    std::vector<std::vector<char>> objects;
    for (Part &part : parts) {
      if (!part.error.empty())
        return createStringError(part.error);
      objects.emplace_back(part.object.begin(), part.object.end());
    }
    return objects;
  }

private:
  struct Part {
    Prepared prepared;
    SmallVector<char, 0> object;
    std::string error;
  };

  std::string emit(Part &part) {
    raw_svector_ostream stream(part.object);
    Error error = optimise(options, part.prepared);
    if (!error)
      error = generate(part.prepared, target, options, CodeGenFileType::ObjectFile, stream);
    return error ? toString(std::move(error)) : "";
  }

  const Target &target;
  EmitOptions options;
  std::deque<Part> parts; // they do not move
  std::mutex mutex;
  std::condition_variable changed;
  size_t ready = 0, next = 0;
  bool closed = false;
};

} // namespace

Expected<std::vector<std::vector<char>>> emitObjects(mlir::ModuleOp module, const Target &target,
                                                     const EmitOptions &options, unsigned threads) {
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> sources = splitModule(module, options.entry);
  if (sources.empty()) {
    auto object = emitObject(module, target, options);
    if (!object)
      return object.takeError();
    return std::vector<std::vector<char>>{std::move(*object)};
  }
  PhaseTimer timer(options.times, "machine code");
  PartEmitter emitter(target, options, sources.size());
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < std::min<size_t>(threads, sources.size()); ++i)
    helpers.emplace_back([&] { emitter.work(); });
  for (size_t i = 0; i < sources.size(); ++i)
    if (!emitter.add(i, *sources[i]))
      break;
  emitter.close();
  emitter.work();
  for (std::thread &helper : helpers)
    helper.join();
  return emitter.take();
}

Expected<std::string> emitAssembly(mlir::ModuleOp module, const Target &target,
                                   const EmitOptions &options) {
  Prepared prepared;
  if (Error error = prepare(module, target, options, prepared))
    return error;
  SmallVector<char, 0> text;
  raw_svector_ostream stream(text);
  if (Error error = generate(prepared, target, options, CodeGenFileType::AssemblyFile, stream))
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
