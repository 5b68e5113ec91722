#include "runtime/WorkspacePool.h"

#include "runtime/HostMemory.h"

namespace kiln::runtime {

WorkspacePool &WorkspacePool::instance() {
  static WorkspacePool &pool = *new WorkspacePool; // outlives every executable
  return pool;
}

WorkspacePool::Lease WorkspacePool::take(std::size_t sizeBytes, Device device) {
  if (sizeBytes == 0)
    return Lease({});
  Block replaced;
  {
    std::lock_guard lock(mutex);
    auto take = [&](std::size_t position) {
      Block block = idle[position];
      idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(position));
      idleBytes -= block.capacity;
      return block;
    };
    for (std::size_t i = idle.size(); i-- > 0;)
      if (idle[i].device == device && idle[i].capacity >= sizeBytes)
        return Lease(take(i));
    // None is large enough: the youngest small one gives way to its successor.
    for (std::size_t i = idle.size(); i-- > 0 && !replaced.data;)
      if (idle[i].device == device)
        replaced = take(i);
  }
  if (replaced.data)
    release(replaced);
  // A little more than asked for, so that slowly growing calls do not replace it each time.
  std::size_t capacity = sizeBytes + sizeBytes / 8;
  return Lease({allocateMemory(capacity, device), capacity, device});
}

void WorkspacePool::giveBack(Block block) noexcept {
  if (!block.data)
    return;
  std::lock_guard lock(mutex);
  idle.push_back(block); // reserved: does not throw
  idleBytes += block.capacity;
  while (idle.size() > maxIdle || idleBytes > maxIdleBytes) {
    idleBytes -= idle.front().capacity;
    release(idle.front());
    idle.erase(idle.begin());
  }
}

void WorkspacePool::trim() noexcept {
  std::lock_guard lock(mutex);
  for (const Block &block : idle)
    release(block);
  idle.clear();
  idleBytes = 0;
}

void WorkspacePool::release(const Block &block) noexcept {
  // This pool is where workspaces wait; a second one would hold those that have been outgrown.
  releaseMemory(block.data, block.capacity, block.device, false);
}

} // namespace kiln::runtime
