#pragma once

#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
}

namespace kiln::codegen {

struct Target;

/// Where the time of one emission went, in nanoseconds.
struct EmitTimes {
  int64_t translateNs = 0; ///< LLVM dialect to LLVM IR.
  int64_t optimizeNs = 0;  ///< LLVM IR passes.
  int64_t codegenNs = 0;   ///< Instruction selection to bytes.
};

struct EmitOptions {
  std::string entry = "kiln_entry"; ///< The one function that stays visible.
  bool verify = false;              ///< Run LLVM's verifier (tests and debugging).
  bool optimize = true;             ///< Run the LLVM IR passes.
  int codegenLevel = 2;             ///< 0 to 3, as -O0 to -O3 of llc.
  EmitTimes *times = nullptr;       ///< Filled in if given.
};

/// Compiles a module in the LLVM dialect to a relocatable ELF object, position independent.
/// All functions and globals but `entry` become internal. Calls no library: what LLVM can only do
/// by a call stays an undefined symbol, which `makeFlatImage` refuses by name. Errors: what MLIR's
/// translation or LLVM reports. Needs `registerLLVMTranslation` (LowerToLLVM.h) on the module's
/// context.
llvm::Expected<std::vector<char>> emitObject(mlir::ModuleOp module, const Target &target,
                                             const EmitOptions &options = {});

/// The same as assembly text, for `kiln-opt` and dumps.
llvm::Expected<std::string> emitAssembly(mlir::ModuleOp module, const Target &target,
                                         const EmitOptions &options = {});

/// The LLVM IR that instruction selection gets, as text.
llvm::Expected<std::string> emitLLVMIR(mlir::ModuleOp module, const Target &target,
                                       const EmitOptions &options = {});

} // namespace kiln::codegen
