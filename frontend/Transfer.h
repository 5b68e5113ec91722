#pragma once

#include "frontend/Record.h"

/// Copies between devices.
namespace kiln::detail {

/// The bytes on another device. Errors: DeviceError if one is not there or cannot be reached.
std::shared_ptr<const runtime::Buffer> copyTo(const runtime::Buffer &buffer, Device device,
                                              std::string_view operation,
                                              const std::source_location &where);

/// x on another device, copied when its contents are first wanted: until then the device need not
/// be there. A tensor whose contents are not known yet, since it is recorded, comes back as it is.
Tensor lazilyOn(const Call &call, const Tensor &x, Device device);

} // namespace kiln::detail
