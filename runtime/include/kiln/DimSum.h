#pragma once

#include "kiln/Dim.h"

#include <vector>

namespace kiln {

/// The sum of all, 0 for none, in time that does not grow with the square of their number.
Dim sumOfDims(std::vector<Dim> parts);

} // namespace kiln
