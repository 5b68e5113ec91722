#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace kiln::codegen {

struct PtxOptions {
  std::string chip;    ///< "sm_90".
  bool verify = false; ///< Run LLVM's verifier (tests and debugging).
};

/// What device code is made of, and its translation to LLVM IR.
void registerGpuTranslation(mlir::DialectRegistry &registry);

/// PTX of the module's `gpu.module`, which is in the LLVM and nvvm dialects by then. Errors: there
/// is none, or what MLIR's translation or LLVM reports.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module, const PtxOptions &options);

/// The LLVM IR that instruction selection gets, as text.
llvm::Expected<std::string> emitDeviceIR(mlir::ModuleOp module, const PtxOptions &options);

/// Erases the `gpu.module`, so that what stays is the host's part.
void eraseDeviceCode(mlir::ModuleOp module);

} // namespace kiln::codegen
