#pragma once

#include "kiln/Device.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

/// Where a compiled model came from: nowhere (it was compiled), memory or disk.
enum class CacheHit : uint8_t { none, memory, disk };

/// "none", "memory", "disk".
std::string_view name(CacheHit hit);

/// What one device holds.
struct DeviceMemory {
  Device device;
  int64_t heldBytes = 0; // tensors, packed weights and workspaces, now
  int64_t peakBytes = 0; // the most at one time
  /// Of an accelerator: freed, and kept for reuse. Its limit for both: $KILN_CUDA_MEMORY_LIMIT.
  int64_t cachedBytes = 0;
};

/// What the runtime has done in this process so far.
struct RuntimeStats {
  int64_t compiles = 0;
  int64_t memoryHits = 0;
  int64_t diskHits = 0;
  std::vector<DeviceMemory> devices; // those that ever held memory, in order

  /// 0 for a device that never held memory.
  int64_t heldBytes(Device device = {}) const;
  int64_t peakBytes(Device device = {}) const;
};

RuntimeStats runtimeStats();

/// A phase of compiling, and how long it took.
struct PhaseTime {
  std::string name;
  double seconds = 0;
  int64_t beginNs = 0; // nanoseconds of std::chrono::steady_clock
};

} // namespace kiln
