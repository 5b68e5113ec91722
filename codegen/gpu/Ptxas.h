#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace kiln::codegen {

/// The CUDA toolkit's assembler: $KILN_PTXAS ("none": there is none), else of $CUDA_HOME or
/// $CUDA_PATH, of the PATH, of /usr/local/cuda. None where it is not installed: then the driver
/// makes machine code of the PTX when it is loaded.
std::optional<std::string> findPtxas();

/// PTX as machine code for an architecture ("sm_90"), by the program `ptxas` in a private temporary
/// folder. Errors: what the program says, or that it cannot be run.
llvm::Expected<std::vector<std::byte>> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx,
                                                   llvm::StringRef architecture);

} // namespace kiln::codegen
