#pragma once

#include "kiln/Tensor.h"

namespace kiln::detail {

enum class Distribution : uint8_t { uniform, normal };

/// A tensor of the next stream that is drawn now and filled when it is first read: initial values
/// that loading replaces cost nothing. `a`, `b`: low and high, or mean and deviation.
Tensor lazyRandom(Distribution distribution, const TensorType &type, double a, double b,
                  const std::source_location &where);

/// Element type, shape and device of a parameter, from what its layer was given.
TensorType parameterType(const Shape &shape, std::optional<DType> dtype,
                         std::optional<Device> device);

} // namespace kiln::detail
