#pragma once

#include "kiln/Stats.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
}

namespace kiln::codegen {

struct Target;

struct EmitOptions {
  std::string entry = "kiln_entry"; ///< The one function that stays visible.
  bool verify = false;              ///< Run LLVM's verifier (tests and debugging).
  bool optimize = true;             ///< Run the LLVM IR passes.
  int codegenLevel = 2;             ///< 0 to 3, as -O0 to -O3 of llc.
  /// If given, gets "translate" (LLVM dialect to LLVM IR), "optimize" (LLVM's passes on that) and
  /// "machine code" (instruction selection to bytes).
  std::vector<PhaseTime> *times = nullptr;
};

/// Compiles a module in the LLVM dialect to a relocatable ELF object, position independent.
/// All functions and globals but `entry` become internal. Calls no library: what LLVM can only do
/// by a call stays an undefined symbol, which `makeFlatImage` refuses by name. Errors: what MLIR's
/// translation or LLVM reports. Needs `registerLLVMTranslation` (LowerToLLVM.h) on the module's
/// context.
llvm::Expected<std::vector<char>> emitObject(mlir::ModuleOp module, const Target &target,
                                             const EmitOptions &options = {});

/// The same as several objects, which makeFlatImage puts together: parts of the module
/// (SplitModule.h) that up to `threads` threads compile at the same time. The bytes do not depend
/// on how many these are. Takes the module's functions. `times` gets one phase "machine code" for
/// all of it where there are several parts: what the caller waits for.
llvm::Expected<std::vector<std::vector<char>>> emitObjects(mlir::ModuleOp module,
                                                           const Target &target,
                                                           const EmitOptions &options,
                                                           unsigned threads);

/// The same as assembly text, for `kiln-opt` and dumps.
llvm::Expected<std::string> emitAssembly(mlir::ModuleOp module, const Target &target,
                                         const EmitOptions &options = {});

/// The LLVM IR that instruction selection gets, as text.
llvm::Expected<std::string> emitLLVMIR(mlir::ModuleOp module, const Target &target,
                                       const EmitOptions &options = {});

} // namespace kiln::codegen
