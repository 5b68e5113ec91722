#pragma once

#include "runtime/cuda/DeviceCall.h"
#include "runtime/cuda/Workspace.h"

#include <mutex>

namespace kiln::runtime::cuda {

/// What a rank's work is put into and needs until it has been.
struct RankOnDevice {
  RankOnDevice(Gpu &gpu, Stream &stream, std::size_t workspaceBytes, const LoadedKernels &kernels,
               std::span<const DeviceKernel> descriptions)
      : stream(stream), workspace(gpu, workspaceBytes, stream),
        call(gpu, stream.handle(), kernels, descriptions) {}

  Stream &stream;
  Workspace workspace;
  DeviceCall call;
  std::unique_lock<std::mutex> recordLock; // where indices are checked
};

} // namespace kiln::runtime::cuda
