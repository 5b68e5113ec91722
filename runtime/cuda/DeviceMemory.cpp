#include "runtime/cuda/DeviceMemory.h"

#include "kiln/Error.h"
#include "runtime/ByteSize.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace kiln::runtime::cuda {

DeviceMemory::DeviceMemory(Gpu &gpu)
    : gpu(gpu), limit(static_cast<int64_t>(byteSizeFromEnvironment("KILN_CUDA_MEMORY_LIMIT", 0))) {}

/// Sizes that differ little share their blocks: steps of an eighth of the power of two below.
std::size_t DeviceMemory::capacityFor(std::size_t sizeBytes) {
  std::size_t step = std::max(alignment, std::bit_floor(std::max<std::size_t>(sizeBytes, 1)) / 8);
  return (std::max<std::size_t>(sizeBytes, 1) + step - 1) / step * step;
}

bool DeviceMemory::takeCached(std::size_t capacity, Stream &stream, Block &block) {
  auto found = cache.find(capacity);
  if (found == cache.end())
    return false;
  std::vector<Block> &blocks = found->second;
  // One that no other stream works on, if there is one.
  auto free = std::find_if(blocks.rbegin(), blocks.rend(),
                           [&](const Block &one) { return (one.users & ~stream.bit()) == 0; });
  auto chosen = free == blocks.rend() ? std::prev(blocks.end()) : std::next(free).base();
  block = *chosen;
  blocks.erase(chosen);
  if (blocks.empty())
    cache.erase(found);
  cached -= static_cast<int64_t>(capacity);
  return true;
}

Result DeviceMemory::askDriver(std::size_t capacity, Address &address) {
  {
    std::lock_guard lock(mutex);
    if (limit > 0 && held + cached > limit - static_cast<int64_t>(capacity))
      return CUDA_ERROR_OUT_OF_MEMORY;
  }
  gpu.enter();
  return gpu.driver().allocate.attempt(&address, capacity);
}

DeviceMemory::Block DeviceMemory::take(std::size_t sizeBytes, Stream &stream) {
  if (sizeBytes > PTRDIFF_MAX / 2)
    throw DeviceError(fmt::format("{}: cannot allocate {} bytes", gpu.device().str(), sizeBytes));
  Block block{0, capacityFor(sizeBytes), 0};
  bool isCached;
  {
    std::lock_guard lock(mutex);
    isCached = takeCached(block.capacity, stream, block);
    if (isCached) {
      held += static_cast<int64_t>(block.capacity);
      peak = std::max(peak, held);
    }
  }
  if (isCached) {
    for (int i = 0; i < Gpu::maxStreams; ++i)
      if (Stream *other = gpu.streamAt(i); other && (block.users & other->bit()))
        stream.waitFor(*other);
    block.users = stream.bit();
    return block;
  }
  Result code = askDriver(block.capacity, block.address);
  if (code == CUDA_ERROR_OUT_OF_MEMORY) {
    trim();
    code = askDriver(block.capacity, block.address);
  }
  std::lock_guard lock(mutex);
  if (code == CUDA_ERROR_OUT_OF_MEMORY)
    throw DeviceError(fmt::format(
        "{}: out of memory: asked for {} bytes, {} are held{}; the device has {} (cuMemAlloc_v2: "
        "{})",
        gpu.device().str(), sizeBytes, held, limit > 0 ? fmt::format(" of at most {}", limit) : "",
        gpu.totalBytes(), gpu.driver().describe(code)));
  gpu.driver().allocate.check(code, fmt::format("{} bytes on {}", sizeBytes, gpu.device().str()));
  held += static_cast<int64_t>(block.capacity);
  peak = std::max(peak, held);
  block.users = stream.bit();
  return block;
}

void DeviceMemory::give(const Block &block) noexcept {
  try {
    std::lock_guard lock(mutex);
    held -= static_cast<int64_t>(block.capacity);
    cache[block.capacity].push_back(block);
    cached += static_cast<int64_t>(block.capacity);
  } catch (const std::bad_alloc &) {
    release({block});
  }
}

void DeviceMemory::release(const std::vector<Block> &blocks) noexcept {
  if (blocks.empty() || gpu.driver().setContext.attempt(gpu.context()) != CUDA_SUCCESS)
    return;
  uint32_t users = 0;
  for (const Block &block : blocks)
    users |= block.users;
  for (int i = 0; i < Gpu::maxStreams; ++i)
    if (Stream *stream = gpu.streamAt(i); stream && (users & stream->bit()))
      gpu.driver().synchronize.attempt(stream->handle());
  for (const Block &block : blocks)
    gpu.driver().free.attempt(block.address);
}

void DeviceMemory::trim() noexcept {
  try {
    release(takeCache());
  } catch (const std::bad_alloc &) { // what cannot be listed stays
  }
}

std::vector<DeviceMemory::Block> DeviceMemory::takeCache() {
  std::vector<Block> blocks;
  std::lock_guard lock(mutex);
  for (const auto &[capacity, waiting] : cache)
    blocks.insert(blocks.end(), waiting.begin(), waiting.end());
  cache.clear();
  cached = 0;
  return blocks;
}

DeviceMemory::Usage DeviceMemory::usage() const {
  std::lock_guard lock(mutex);
  return {{held, peak}, cached, limit};
}

void DeviceMemory::setLimit(int64_t bytes) {
  std::lock_guard lock(mutex);
  limit = bytes;
}

} // namespace kiln::runtime::cuda
