#pragma once

#include "kiln/DType.h"
#include "kiln/Device.h"

#include <utility>

namespace kiln {

/// The dtype and device of tensors that name none: those of the innermost DefaultsScope of this
/// thread, else the first accelerator where there is one, else CPU(); with it bfloat16 on an
/// accelerator and float32 on a CPU.
std::pair<DType, Device> defaults();

/// Sets the defaults of this thread while it lives: `DefaultsScope scope(DType::bfloat16, CPU());`.
/// Scopes nest; each ends on the thread that began it, the innermost first.
class [[nodiscard]] DefaultsScope {
public:
  DefaultsScope(DType dtype, Device device);
  /// Leaves the default device as it is.
  explicit DefaultsScope(DType dtype);
  /// With the default dtype of that kind of device.
  explicit DefaultsScope(Device device);
  ~DefaultsScope();
  DefaultsScope(const DefaultsScope &) = delete;
  DefaultsScope &operator=(const DefaultsScope &) = delete;

private:
  std::pair<DType, Device> values;
  const DefaultsScope *outer;
  friend std::pair<DType, Device> defaults();
};

} // namespace kiln
