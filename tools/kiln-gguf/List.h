//===- List.h - What is in a GGUF file ----------------------------------------===//
#pragma once

#include <string>

namespace kiln::tools {

/// Prints metadata and tensors to standard output. Errors: IoError.
void list(const std::string &path);

} // namespace kiln::tools
