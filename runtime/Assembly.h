#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kiln::runtime {

/// What the compiler's assembler makes of a text.
struct AssembleResult {
  std::string error; // empty: none
  std::vector<std::byte> object;
};

} // namespace kiln::runtime
