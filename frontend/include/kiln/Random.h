#pragma once

#include "kiln/Tensor.h"

/// Random tensors from a counter (Philox 4x32-10): the same seed gives the same numbers on every
/// device and thread count. Each call draws the next stream of the seed.
namespace kiln::random {

/// Starts the streams of this process anew.
void seed(uint64_t value);
/// The seed of the streams: what was given last, or 0.
uint64_t seed();

/// In [low, high). Errors: ValueError unless low <= high and both are finite.
Tensor uniform(const Shape &shape, double low = 0, double high = 1, std::optional<DType> dtype = {},
               std::optional<Device> device = {}, Where where = Where::current());
/// Integers are cut towards zero, and to what the dtype holds.
/// Errors: ValueError for a negative deviation, or for one or a mean that is not finite.
Tensor normal(const Shape &shape, double mean = 0, double deviation = 1,
              std::optional<DType> dtype = {}, std::optional<Device> device = {},
              Where where = Where::current());

} // namespace kiln::random
