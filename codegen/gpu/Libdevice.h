#pragma once

#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace llvm {
class Module;
}

namespace kiln::codegen {

/// The CUDA toolkit's library of functions of float64, libdevice.10.bc: $KILN_LIBDEVICE ("none":
/// there is none), else of $CUDA_HOME or $CUDA_PATH, beside ptxas, of /usr/local/cuda. None where
/// it is not installed.
std::optional<std::string> findLibdevice();

/// Adds what the module calls of that library (names with "__nv_" in front), to be inlined. Nothing
/// is looked for where it calls none. Errors: there is no library, or LLVM cannot read it.
llvm::Error linkLibdevice(llvm::Module &module);

} // namespace kiln::codegen
