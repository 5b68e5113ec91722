#pragma once

#include "runtime/Artifact.h"

#include "llvm/Support/Error.h"

namespace mlir {
class ModuleOp;
}

namespace kiln::codegen {

/// Takes the device's part out of a lowered module: PTX, machine code for `architectures` (none:
/// for the chip that the kernels were made for) where ptxas is installed, and how each function is
/// launched. Errors: emitPtx's and assemblePtx's.
llvm::Error emitDeviceCode(mlir::ModuleOp module, const std::vector<std::string> &architectures,
                           runtime::DeviceCode &code);

} // namespace kiln::codegen
