#include "runtime/cuda/Kernels.h"

#include "kiln/Error.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

namespace kiln::runtime::cuda {

/// More than an SM gives to all of a block's static and dynamic memory without being asked.
static constexpr int64_t usualSharedBytes = 48 << 10;

int architectureNumber(std::string_view name) {
  int number = 0;
  if (name.starts_with("sm_"))
    std::from_chars(name.data() + 3, name.data() + name.size(), number);
  return number;
}

/// Whether machine code of architecture `name` runs on a device: the same generation, not newer;
/// code with features of one architecture ("sm_90a") only there.
static bool runsOn(std::string_view name, int device) {
  int number = architectureNumber(name);
  bool isSpecific = !name.empty() && name.back() == 'a';
  return number > 0 &&
         (isSpecific ? number == device : number / 10 == device / 10 && number <= device);
}

void LoadedKernels::loadImage(const void *image, const std::string &what) {
  char log[4096] = {};
  int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  Result code = gpu.driver().loadModule.attempt(&module, image, 2, options, values);
  gpu.driver().loadModule.check(
      code, fmt::format("{} on {}{}{}", what, gpu.device().str(), *log ? ": " : "", log));
}

LoadedKernels::LoadedKernels(Gpu &device, const DeviceCode &code) : gpu(device) {
  gpu.enter();
  if (!runsOn(code.chip, gpu.architecture()) &&
      (code.chip.ends_with('a') || architectureNumber(code.chip) > gpu.architecture()))
    throw DeviceError(fmt::format("code for {} does not run on {} ({}, sm_{})", code.chip,
                                  gpu.device().str(), gpu.name(), gpu.architecture()));
  std::vector<const std::pair<std::string, std::vector<std::byte>> *> fitting;
  for (const auto &cubin : code.cubins)
    if (runsOn(cubin.first, gpu.architecture()))
      fitting.push_back(&cubin);
  // The nearest first.
  std::sort(fitting.begin(), fitting.end(), [](auto *a, auto *b) {
    return architectureNumber(a->first) > architectureNumber(b->first);
  });
  for (const auto *cubin : fitting)
    if (!module && gpu.driver().loadModule.attempt(&module, cubin->second.data(), 0, nullptr,
                                                   nullptr) == CUDA_SUCCESS)
      chosen = cubin->first;
    else
      module = nullptr;
  if (!module) {
    loadImage(code.ptx.c_str(), "the PTX of " + code.chip);
    chosen = "ptx";
  }
  try {
    for (const DeviceKernel &kernel : code.kernels) {
      Function found = nullptr;
      const Driver &driver = gpu.driver();
      driver.function.check(driver.function.attempt(&found, module, kernel.name.c_str()),
                            "kernel " + kernel.name);
      if (kernel.sharedBytes > usualSharedBytes)
        driver.setFunctionAttribute.check(
            driver.setFunctionAttribute.attempt(found,
                                                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                static_cast<int>(kernel.sharedBytes)),
            fmt::format("{} bytes of shared memory of kernel {}", kernel.sharedBytes, kernel.name));
      functions.push_back(found);
    }
  } catch (...) {
    gpu.driver().unloadModule.attempt(module);
    throw;
  }
}

LoadedKernels::~LoadedKernels() {
  // Work that uses the code ends first: the driver waits for it.
  if (gpu.driver().setContext.attempt(gpu.context()) == CUDA_SUCCESS)
    gpu.driver().unloadModule.attempt(module);
}

const LoadedKernels &Kernels::on(Gpu &gpu) const {
  std::lock_guard lock(mutex);
  for (const auto &[device, kernels] : loaded)
    if (device == &gpu)
      return *kernels;
  loaded.emplace_back(&gpu, std::make_unique<LoadedKernels>(gpu, code));
  return *loaded.back().second;
}

} // namespace kiln::runtime::cuda
