#pragma once

#include "kiln/Device.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

/// Host memory for tensors and workspaces, counted for each virtual CPU device. Large blocks are
/// recycled: filling fresh memory by pages of 4 KB takes ten times as long as filling it again.
namespace kiln::runtime {

/// Alignment of every block, in bytes: a cache line, which is also the widest vector register.
inline constexpr std::size_t memoryAlignment = 64;
/// CPU(0) to CPU(63) exist.
inline constexpr int numVirtualDevices = 64;

struct MemoryUsage {
  int64_t heldBytes = 0; // in use now
  int64_t peakBytes = 0; // the most that was in use at one time
};

/// An uninitialised block of at least `sizeBytes` bytes; never null, also for 0 bytes.
/// Errors: DeviceError if the device does not exist or the memory is not there.
void *allocateMemory(std::size_t sizeBytes, Device device);
/// Gives back a block with the size and device it was asked with. `recycle`: blocks of this size
/// will be wanted again.
void releaseMemory(void *block, std::size_t sizeBytes, Device device, bool recycle = true) noexcept;

/// Errors: DeviceError if the device does not exist.
MemoryUsage memoryUsage(Device device);
/// The devices that ever held memory, in order.
std::vector<std::pair<Device, MemoryUsage>> memoryUsageByDevice();

/// Bytes of recycled blocks that wait for reuse; at most `maxRecycledBytes`.
std::size_t recycledBytes();
inline constexpr std::size_t maxRecycledBytes = std::size_t{128} << 20;
/// Returns all recycled blocks to the system.
void trimMemory() noexcept;

} // namespace kiln::runtime
