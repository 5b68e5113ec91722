#pragma once

#include "runtime/Abi.h"
#include "runtime/cuda/Gpu.h"
#include "runtime/cuda/Kernels.h"

#include <exception>
#include <functional>
#include <span>

namespace kiln::runtime::cuda {

/// What an entry enqueues on one device: `launch` and `copy` of its KilnRuntime.
class DeviceCall {
public:
  DeviceCall(Gpu &gpu, StreamHandle stream, const LoadedKernels &kernels,
             std::span<const DeviceKernel> descriptions)
      : gpu(gpu), stream(stream), kernels(kernels), descriptions(descriptions) {}

  void launch(int64_t kernel, int64_t gridX, int64_t gridY, int64_t gridZ,
              void *const *parameters) noexcept;
  void copy(const void *from, void *to, int64_t sizeBytes) noexcept;
  /// The first error: compiled code cannot be left by an exception. Nothing is enqueued after it.
  void rethrow() const {
    if (failure)
      std::rethrow_exception(failure);
  }

private:
  template <class Body> void attempt(Body &&body) noexcept;

  Gpu &gpu;
  StreamHandle stream;
  const LoadedKernels &kernels;
  std::span<const DeviceKernel> descriptions;
  std::exception_ptr failure;
};

} // namespace kiln::runtime::cuda
