#include "passes/cpu/CpuTarget.h"

namespace kiln::passes {

std::optional<CpuTarget> CpuTarget::byName(std::string_view name) {
  if (name == "x86-64")
    return CpuTarget{.vectorBytes = 16, .vectorRegisters = 16, .fma = false, .f16c = false};
  if (name == "x86-64-v3")
    return CpuTarget{.vectorBytes = 32, .vectorRegisters = 16, .fma = true, .f16c = true};
  if (name == "x86-64-v4")
    return CpuTarget{.vectorBytes = 64, .vectorRegisters = 32, .fma = true, .f16c = true};
  // A level with features behind it.
  std::size_t end = name.rfind('+');
  if (end == std::string_view::npos || !name.starts_with("x86-64-v4"))
    return std::nullopt;
  std::optional<CpuTarget> target = byName(name.substr(0, end));
  std::string_view feature = name.substr(end + 1);
  if (!target)
    return std::nullopt;
  if (feature == "avx512vnni")
    target->vnni = true;
  else if (feature == "avx512bf16")
    target->bf16 = true;
  else if (feature == "amx-bf16")
    target->tiles = true;
  else if (feature == "amx-emulated")
    target->tiles = target->tilesEmulated = true;
  else if (feature != "amx-tile")
    return std::nullopt;
  return target;
}

} // namespace kiln::passes
