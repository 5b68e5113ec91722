#pragma once

#include "kiln/Device.h"

#include <cstddef>
#include <mutex>
#include <vector>

namespace kiln::runtime {

/// Workspaces of calls, kept from one call to the next and shared by all executables: what ran
/// last leaves the hottest memory to what runs next. Concurrent calls each get their own.
class WorkspacePool {
  struct Block {
    void *data = nullptr;
    std::size_t capacity = 0;
    Device device;
  };

public:
  static WorkspacePool &instance();

  /// A workspace, given back when it goes out of scope.
  class Lease {
  public:
    Lease(const Lease &) = delete;
    Lease &operator=(const Lease &) = delete;
    ~Lease() { instance().giveBack(block); }
    void *data() const { return block.data; }

  private:
    friend class WorkspacePool;
    explicit Lease(Block block) : block(block) {}
    Block block;
  };

  /// At least `sizeBytes` bytes, uninitialised, 64-byte aligned, counted for `device`.
  /// Errors: DeviceError.
  Lease take(std::size_t sizeBytes, Device device);
  /// Frees what no call uses.
  void trim() noexcept;

  /// At most this many workspaces, and this many bytes in all, wait for reuse.
  static constexpr std::size_t maxIdle = 16;
  static constexpr std::size_t maxIdleBytes = std::size_t{256} << 20;

private:
  WorkspacePool() { idle.reserve(maxIdle + 1); }
  void giveBack(Block block) noexcept;
  static void release(const Block &block) noexcept;

  std::mutex mutex;
  std::vector<Block> idle; // youngest last
  std::size_t idleBytes = 0;
};

} // namespace kiln::runtime
