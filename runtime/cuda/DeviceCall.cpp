#include "runtime/cuda/DeviceCall.h"

#include "kiln/Error.h"

#include <fmt/format.h>

namespace kiln::runtime::cuda {

template <class Body> void DeviceCall::attempt(Body &&body) noexcept {
  if (failure)
    return;
  try {
    body();
  } catch (...) {
    failure = std::current_exception();
  }
}

void DeviceCall::launch(int64_t kernel, int64_t gridX, int64_t gridY, int64_t gridZ,
                        void *const *parameters) noexcept {
  attempt([&] {
    if (kernel < 0 || kernel >= static_cast<int64_t>(descriptions.size()))
      throw CompileError(fmt::format("kernel {} of {} is launched", kernel, descriptions.size()));
    const DeviceKernel &about = descriptions[static_cast<std::size_t>(kernel)];
    // The device's limits, and what the driver takes: 32 bits.
    constexpr int64_t mostX = INT32_MAX, mostOthers = 65535;
    if (gridX < 1 || gridY < 1 || gridZ < 1 || gridX > mostX || gridY > mostOthers ||
        gridZ > mostOthers)
      throw ValueError(
          fmt::format("kernel {}: a grid of {} x {} x {} blocks", about.name, gridX, gridY, gridZ));
    const Driver &driver = gpu.driver();
    Result code = driver.launch.attempt(
        kernels.function(static_cast<std::size_t>(kernel)), static_cast<unsigned>(gridX),
        static_cast<unsigned>(gridY), static_cast<unsigned>(gridZ),
        static_cast<unsigned>(about.threads), 1, 1, static_cast<unsigned>(about.sharedBytes),
        stream, const_cast<void **>(parameters), nullptr);
    if (code != CUDA_SUCCESS)
      driver.launch.check(code, fmt::format("kernel {} on {}", about.name, gpu.device().str()));
  });
}

void DeviceCall::copy(const void *from, void *to, int64_t sizeBytes) noexcept {
  attempt([&] {
    if (sizeBytes > 0)
      gpu.driver().copyOnDevice(reinterpret_cast<Address>(to), reinterpret_cast<Address>(from),
                                static_cast<std::size_t>(sizeBytes), stream);
  });
}

} // namespace kiln::runtime::cuda
