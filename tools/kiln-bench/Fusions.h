//===- Fusions.h - What each fusion saves -------------------------------------===//
#pragma once

#include <cstdint>
#include <filesystem>

namespace kiln::tools {

/// Compiles a sentence encoder with all fusions, without each one and without any, and prints for
/// each the kernels of a call on `batch` texts of `length` tokens, the bytes that they read and
/// write (weights, and what lies between kernels), and the median time, all called in turns.
/// `seconds` for all of them. Errors: as of loading and compiling the encoder.
void benchFusions(const std::filesystem::path &weights, int64_t batch, int64_t length,
                  double seconds);

} // namespace kiln::tools
