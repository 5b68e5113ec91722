#pragma once

#include "runtime/Artifact.h"
#include "runtime/cuda/Gpu.h"

#include <memory>
#include <mutex>
#include <vector>

namespace kiln::runtime::cuda {

/// An artifact's device code on one device.
class LoadedKernels {
public:
  /// Takes the machine code for the device's architecture if there is one that it accepts, else the
  /// driver translates the PTX. Errors: DeviceError with the driver's log.
  LoadedKernels(Gpu &gpu, const DeviceCode &code);
  ~LoadedKernels();
  LoadedKernels(const LoadedKernels &) = delete;
  LoadedKernels &operator=(const LoadedKernels &) = delete;

  Function function(std::size_t kernel) const { return functions[kernel]; }
  /// The architecture of the machine code, or "ptx".
  const std::string &form() const { return chosen; }

private:
  void loadImage(const void *image, const std::string &what);

  Gpu &gpu;
  Module module = nullptr;
  std::string chosen;
  std::vector<Function> functions;
};

/// An artifact's device code on the devices that have run it.
class Kernels {
public:
  /// Keeps a reference to `code`.
  explicit Kernels(const DeviceCode &code) : code(code) {}
  /// Loaded at the first call. Errors: DeviceError.
  const LoadedKernels &on(Gpu &gpu) const;

private:
  const DeviceCode &code;
  mutable std::mutex mutex;
  mutable std::vector<std::pair<Gpu *, std::unique_ptr<LoadedKernels>>> loaded;
};

/// "sm_90" -> 90, "sm_90a" -> 90; 0 for what is no architecture.
int architectureNumber(std::string_view name);

} // namespace kiln::runtime::cuda
