#pragma once

#include <cstddef>

namespace oneapi::tbb {

/// There is no limit on threads here that could be raised.
struct global_control {
  static constexpr int max_allowed_parallelism = 0;
  global_control(int, std::size_t) {}
};

} // namespace oneapi::tbb
