#include "kiln/Device.h"

namespace kiln {

std::string Device::str() const {
  return (isCPU() ? "cpu:" : "gpu:") + std::to_string(deviceIndex);
}

// The runtime has no driver for accelerators yet (it will live in runtime/cuda), so none can be
// used, whatever is plugged in.
int acceleratorCount() { return 0; }

std::ostream &operator<<(std::ostream &os, const Device &device) { return os << device.str(); }

} // namespace kiln
