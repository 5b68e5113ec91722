#pragma once

#include <cstdint>

namespace kiln::runtime {

/// The environment variable `name` as a number of bytes: `1000`, `500M`, `2G`. `usual` where it is
/// not set, and, with one line to standard error, where it is none.
std::uintmax_t byteSizeFromEnvironment(const char *name, std::uintmax_t usual);

} // namespace kiln::runtime
