#pragma once

#include "test/unit/random/Check.h"

/// What is different where random programs run on accelerators.
namespace kiln::test {

/// Products of float32 are made of parts of 11 bits; of a subnormal number the first part may be 0,
/// and with an infinity that is NaN. Such numbers are left out.
void dropSubnormals(Program &program);

/// The interpreter's results, with bounds for products that are made of parts.
Expected interpretForAccelerator(const ir::Graph &graph, const Case &one);

/// Whether the compiler says of an operation that there is nothing for it on accelerators.
bool isRefusedOnAccelerator(const Program &program);

} // namespace kiln::test
