#pragma once

#include "frontend/Record.h"

namespace kiln::detail {

/// x with [start, stop) of one axis, both within its size.
Tensor sliceAxis(const Call &call, const Tensor &x, int64_t axis, int64_t start, int64_t stop);

} // namespace kiln::detail
