#include "codegen/Compiler.h"

#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

#include <mutex>

using namespace llvm;

namespace {

/// A module that is nothing but the text: LLVM's assembler comes with its code generator.
void assemble(const std::string &assembly, kiln::runtime::AssembleResult &result) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  Triple triple("x86_64-unknown-linux-gnu");
  std::string message;
  const Target *backend = TargetRegistry::lookupTarget(triple, message);
  if (!backend) {
    result.error = message;
    return;
  }
  std::unique_ptr<TargetMachine> machine(
      backend->createTargetMachine(triple, "x86-64", "", TargetOptions(), Reloc::PIC_));
  LLVMContext context;
  context.setDiagnosticHandlerCallBack(
      [](const DiagnosticInfo *info, void *errors) {
        if (info->getSeverity() != DS_Error)
          return;
        raw_string_ostream stream(*static_cast<std::string *>(errors));
        DiagnosticPrinterRawOStream printer(stream);
        info->print(printer);
      },
      &result.error);
  Module module("kiln", context);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  module.setModuleInlineAsm(assembly);
  SmallVector<char, 0> bytes;
  raw_svector_ostream stream(bytes);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::ObjectFile)) {
    result.error = "LLVM cannot emit an object";
    return;
  }
  passes.run(module);
  auto raw = reinterpret_cast<const std::byte *>(bytes.data());
  result.object.assign(raw, raw + bytes.size());
}

} // namespace

extern "C" void kilnAssemble(const std::string &assembly, kiln::runtime::AssembleResult &result) {
  try {
    assemble(assembly, result);
  } catch (const std::exception &error) {
    result.error = error.what();
  }
}
