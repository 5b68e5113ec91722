#include "kiln/Device.h"

namespace kiln {

std::string Device::str() const {
  return (isCPU() ? "cpu:" : "gpu:") + std::to_string(deviceIndex);
}

std::ostream &operator<<(std::ostream &os, const Device &device) { return os << device.str(); }

} // namespace kiln
