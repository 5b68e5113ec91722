#pragma once

#include "passes/cpu/CpuTarget.h"

namespace kiln::passes {

/// The target of device code: "sm_80", "sm_90" or "sm_100". Vectors are of 16 bytes, what a thread
/// loads at once. None for another name.
std::optional<CpuTarget> gpuTarget(std::string_view chip);
/// The names that there are, for messages.
std::string gpuChips();

} // namespace kiln::passes
