#pragma once

#include "runtime/cuda/DeviceMemory.h"

namespace kiln::runtime::cuda {

/// Memory of a device for one call.
class Workspace {
public:
  /// Errors: DeviceError.
  Workspace(Gpu &gpu, std::size_t sizeBytes, Stream &stream) : gpu(gpu) {
    if (sizeBytes > 0)
      block = gpu.memory().take(sizeBytes, stream);
  }
  /// What comes next in the stream may have it at once.
  ~Workspace() {
    if (block.address)
      gpu.memory().give(block);
  }
  Workspace(const Workspace &) = delete;
  Workspace &operator=(const Workspace &) = delete;
  void *data() const { return reinterpret_cast<void *>(block.address); }

private:
  Gpu &gpu;
  DeviceMemory::Block block;
};

} // namespace kiln::runtime::cuda
