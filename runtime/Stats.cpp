#include "kiln/Stats.h"

#include "runtime/ArtifactCache.h"
#include "runtime/HostMemory.h"
#include "runtime/cuda/DeviceMemory.h"

namespace kiln {

std::string_view name(CacheHit hit) {
  constexpr std::string_view names[] = {"none", "memory", "disk"};
  return names[static_cast<std::size_t>(hit)];
}

static DeviceMemory find(const std::vector<DeviceMemory> &devices, Device device) {
  for (const DeviceMemory &memory : devices)
    if (memory.device == device)
      return memory;
  return {};
}

int64_t RuntimeStats::heldBytes(Device device) const { return find(devices, device).heldBytes; }
int64_t RuntimeStats::peakBytes(Device device) const { return find(devices, device).peakBytes; }

RuntimeStats runtimeStats() {
  runtime::ArtifactCache::Counts counts = runtime::ArtifactCache::instance().counts();
  RuntimeStats stats;
  stats.compiles = counts.compiles;
  stats.memoryHits = counts.memoryHits;
  stats.diskHits = counts.diskHits;
  for (const auto &[device, usage] : runtime::memoryUsageByDevice())
    stats.devices.push_back({device, usage.heldBytes, usage.peakBytes});
  for (runtime::cuda::Gpu *gpu : runtime::cuda::Gpu::used())
    if (auto usage = gpu->memory().usage(); usage.blocks.peakBytes > 0)
      stats.devices.push_back(
          {gpu->device(), usage.blocks.heldBytes, usage.blocks.peakBytes, usage.cachedBytes});
  return stats;
}

} // namespace kiln
