#pragma once

#include "runtime/HostMemory.h"
#include "runtime/cuda/Gpu.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace kiln::runtime::cuda {

/// Memory of one device. What is freed waits for reuse: asking the driver takes as long as a
/// kernel. A block may be taken by whoever comes after its last user in the same stream at once;
/// another stream waits for the streams that used it.
class DeviceMemory {
public:
  explicit DeviceMemory(Gpu &gpu);

  struct Block {
    Address address = 0;
    std::size_t capacity = 0;
    uint32_t users = 0; // streams that may still work on it: Stream::bit
  };
  /// Every block is aligned to 256 bytes, as the driver's are.
  static constexpr std::size_t alignment = 256;

  /// An uninitialised block of at least `sizeBytes` bytes, at least one, that `stream` may use.
  /// Errors: DeviceError that says how much was asked for and held, after the cache was freed and
  /// the driver asked once more.
  Block take(std::size_t sizeBytes, Stream &stream);
  void give(const Block &block) noexcept;
  /// Gives all blocks that wait for reuse back to the driver.
  void trim() noexcept;

  struct Usage {
    MemoryUsage blocks;      // in use
    int64_t cachedBytes = 0; // wait for reuse
    int64_t limitBytes = 0;  // of both; 0: what the device has
  };
  Usage usage() const;
  /// In place of $KILN_CUDA_MEMORY_LIMIT (bytes, or 500M, 2G; none if it is not set).
  void setLimit(int64_t bytes);

private:
  static std::size_t capacityFor(std::size_t sizeBytes);
  bool takeCached(std::size_t capacity, Stream &stream, Block &block);
  Result askDriver(std::size_t capacity, Address &address);
  std::vector<Block> takeCache();
  void release(const std::vector<Block> &blocks) noexcept;

  Gpu &gpu;
  mutable std::mutex mutex;
  std::map<std::size_t, std::vector<Block>> cache; // by capacity, youngest last
  int64_t held = 0, peak = 0, cached = 0, limit = 0;
};

} // namespace kiln::runtime::cuda
