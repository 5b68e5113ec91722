#pragma once

#include "kiln/Tensor.h"

#include <vector>

namespace kiln {

/// A tensor split along an axis over 1 to 8 devices: ceil(size / devices) entries on each, the last
/// parts padded with zeros. Nothing else about it differs: shape, dtype and contents are those of
/// `whole`, its device is the first. Reading it makes a copy of the whole there; operations on it
/// do not: all that is computed from it runs on all devices at once, and the results are on the
/// first.
///
/// A table split along axis 0 is looked up on each device in its own rows. A weight [out, in] of
/// `Linear` split along axis 0 gives each device its columns of the result, along axis 1 its rows
/// of the product. Loading a state into a module splits what takes the place of a split parameter.
/// The parts are made without the whole where `whole` is a slice of a file or was not drawn yet.
///
/// Errors: ValueError for no devices, more than 8 or one that is named twice; IndexError for an
/// axis that `whole` does not have; TypeError if its contents depend on an argument of what is
/// being traced; DeviceError if a device is not there.
Tensor shard(const Tensor &whole, int64_t axis, const std::vector<Device> &devices,
             Where where = Where::current());

} // namespace kiln
