#include "passes/gpu/GpuTarget.h"

namespace kiln::passes {

std::optional<CpuTarget> gpuTarget(std::string_view chip) {
  if (chip != "sm_80" && chip != "sm_90" && chip != "sm_90a" && chip != "sm_100")
    return std::nullopt;
  CpuTarget target;
  target.vectorBytes = 16;
  target.fma = target.f16c = true;
  return target;
}

std::string gpuChips() { return "sm_80, sm_90, sm_90a or sm_100"; }

} // namespace kiln::passes
