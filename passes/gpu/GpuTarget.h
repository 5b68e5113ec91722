#pragma once

#include "passes/cpu/CpuTarget.h"

namespace kiln::passes {

/// The target of device code: "sm_80", "sm_90" or "sm_100", or "sm_90a", whose code runs on compute
/// capability 9.0 alone. Vectors are of 16 bytes, what a thread loads at once. None for another
/// name.
std::optional<CpuTarget> gpuTarget(std::string_view chip);
/// The names that there are, for messages.
std::string gpuChips();

/// Widest rows of q and k, and of v, elements, that the kernel of an attention holds: more would
/// not fit into registers (columns / 2 for the sums of a thread).
constexpr int64_t mostAttentionDepth = 256, mostAttentionColumns = 128;

} // namespace kiln::passes
