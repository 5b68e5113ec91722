#include "runtime/HostMemory.h"

#include "kiln/Error.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

#include <fmt/format.h>
#include <sys/mman.h>

namespace kiln::runtime {
namespace {

/// Below this malloc keeps freed memory by itself (its mmap threshold is 128 KiB).
constexpr std::size_t recycleThreshold = std::size_t{64} << 10;
/// From here on blocks are mapped, and backed by huge pages where the system offers them.
constexpr std::size_t hugePageBytes = std::size_t{2} << 20;

struct Account {
  std::atomic<int64_t> held = 0, peak = 0;

  void add(int64_t bytes) {
    int64_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t seen = peak.load(std::memory_order_relaxed);
    while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
  }
  void remove(int64_t bytes) { held.fetch_sub(bytes, std::memory_order_relaxed); }
  MemoryUsage usage() const { return {held.load(), peak.load()}; }
};

Account accounts[numVirtualDevices];

Account &accountOf(Device device) {
  if (!device.isCPU())
    throw DeviceError(
        fmt::format("{} is not there: host memory belongs to CPU devices", device.str()));
  if (device.index() < 0 || device.index() >= numVirtualDevices)
    throw DeviceError(fmt::format("{} is not there: the virtual CPU devices are cpu:0 to cpu:{}",
                                  device.str(), numVirtualDevices - 1));
  return accounts[device.index()];
}

/// Rounds up so that sizes that differ little share their blocks: to an eighth of the power of two
/// below, which wastes at most one part in nine.
std::size_t blockBytes(std::size_t sizeBytes) {
  std::size_t step = memoryAlignment;
  if (sizeBytes >= recycleThreshold)
    step = std::max<std::size_t>(4096, std::bit_floor(sizeBytes) / 8);
  return (std::max<std::size_t>(sizeBytes, 1) + step - 1) / step * step;
}

void *mapBlock(std::size_t bytes) {
  // Mapped with room to cut a block that begins at a huge page.
  std::size_t room = bytes + hugePageBytes;
  void *mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return nullptr;
  auto begin = reinterpret_cast<std::uintptr_t>(mapped);
  std::uintptr_t aligned = (begin + hugePageBytes - 1) / hugePageBytes * hugePageBytes;
  if (aligned > begin)
    munmap(mapped, aligned - begin);
  if (std::size_t tail = begin + room - (aligned + bytes))
    munmap(reinterpret_cast<void *>(aligned + bytes), tail);
  void *block = reinterpret_cast<void *>(aligned);
  madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

void *systemAllocate(std::size_t bytes) {
  return bytes >= hugePageBytes ? mapBlock(bytes) : std::aligned_alloc(memoryAlignment, bytes);
}

void systemRelease(void *block, std::size_t bytes) {
  if (bytes >= hugePageBytes)
    munmap(block, bytes);
  else
    std::free(block);
}

/// Freed blocks, oldest first.
class Recycler {
public:
  void *take(std::size_t bytes) {
    std::lock_guard lock(mutex);
    // The youngest of the size: most likely still in a cache.
    for (auto it = blocks.rbegin(); it != blocks.rend(); ++it)
      if (it->bytes == bytes) {
        void *block = it->data;
        blocks.erase(std::next(it).base());
        total -= bytes;
        return block;
      }
    return nullptr;
  }

  void give(void *block, std::size_t bytes) noexcept {
    if (bytes > maxRecycledBytes)
      return systemRelease(block, bytes);
    std::lock_guard lock(mutex);
    try {
      blocks.push_back({block, bytes});
    } catch (const std::bad_alloc &) {
      return systemRelease(block, bytes);
    }
    total += bytes;
    shrinkTo(maxRecycledBytes);
  }

  void trim() noexcept {
    std::lock_guard lock(mutex);
    shrinkTo(0);
  }

  std::size_t bytes() {
    std::lock_guard lock(mutex);
    return total;
  }

private:
  struct Block {
    void *data;
    std::size_t bytes;
  };

  void shrinkTo(std::size_t limit) {
    while (total > limit) {
      systemRelease(blocks.front().data, blocks.front().bytes);
      total -= blocks.front().bytes;
      blocks.pop_front();
    }
  }

  std::mutex mutex;
  std::deque<Block> blocks;
  std::size_t total = 0;
};

/// Never destroyed: tensors with static storage duration are released after it otherwise.
Recycler &recycler() {
  static Recycler &instance = *new Recycler;
  return instance;
}

} // namespace

void *allocateMemory(std::size_t sizeBytes, Device device) {
  Account &account = accountOf(device);
  void *block = nullptr;
  if (sizeBytes <= PTRDIFF_MAX / 2) {
    std::size_t bytes = blockBytes(sizeBytes);
    if (bytes >= recycleThreshold)
      block = recycler().take(bytes);
    if (!block)
      block = systemAllocate(bytes);
    if (!block) { // what waits for reuse in other sizes may make room
      trimMemory();
      block = systemAllocate(bytes);
    }
  }
  if (!block)
    throw DeviceError(fmt::format("{}: cannot allocate {} bytes", device.str(), sizeBytes));
  account.add(static_cast<int64_t>(sizeBytes));
  return block;
}

void releaseMemory(void *block, std::size_t sizeBytes, Device device, bool recycle) noexcept {
  accounts[device.index()].remove(static_cast<int64_t>(sizeBytes));
  std::size_t bytes = blockBytes(sizeBytes);
  if (recycle && bytes >= recycleThreshold)
    recycler().give(block, bytes);
  else
    systemRelease(block, bytes);
}

MemoryUsage memoryUsage(Device device) { return accountOf(device).usage(); }

std::vector<std::pair<Device, MemoryUsage>> memoryUsageByDevice() {
  std::vector<std::pair<Device, MemoryUsage>> result;
  for (int index = 0; index < numVirtualDevices; ++index)
    if (MemoryUsage usage = accounts[index].usage(); usage.peakBytes > 0)
      result.emplace_back(Device::CPU(index), usage);
  return result;
}

std::size_t recycledBytes() { return recycler().bytes(); }

void trimMemory() noexcept { recycler().trim(); }

} // namespace kiln::runtime
