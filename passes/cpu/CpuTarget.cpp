#include "passes/cpu/CpuTarget.h"

namespace kiln::passes {

std::optional<CpuTarget> CpuTarget::byName(std::string_view name) {
  if (name == "x86-64")
    return CpuTarget{.vectorBytes = 16, .vectorRegisters = 16, .fma = false, .f16c = false};
  if (name == "x86-64-v3")
    return CpuTarget{.vectorBytes = 32, .vectorRegisters = 16, .fma = true, .f16c = true};
  if (name == "x86-64-v4")
    return CpuTarget{.vectorBytes = 64, .vectorRegisters = 32, .fma = true, .f16c = true};
  if (name == "x86-64-v4+avx512vnni") {
    CpuTarget target = *byName("x86-64-v4");
    target.vnni = true;
    return target;
  }
  return std::nullopt;
}

} // namespace kiln::passes
