#include "kiln/Defaults.h"

namespace kiln {

static thread_local const DefaultsScope *innermost = nullptr;

static DType defaultDType(Device device) {
  return device.isCPU() ? DType::float32 : DType::bfloat16;
}

std::pair<DType, Device> defaults() {
  if (innermost)
    return innermost->values;
  Device device = acceleratorCount() > 0 ? Accelerator() : CPU();
  return {defaultDType(device), device};
}

DefaultsScope::DefaultsScope(DType dtype, Device device) : values(dtype, device), outer(innermost) {
  innermost = this;
}

DefaultsScope::DefaultsScope(DType dtype) : DefaultsScope(dtype, defaults().second) {}

DefaultsScope::DefaultsScope(Device device) : DefaultsScope(defaultDType(device), device) {}

DefaultsScope::~DefaultsScope() { innermost = outer; }

} // namespace kiln
