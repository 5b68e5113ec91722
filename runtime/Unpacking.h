#pragma once

#include "runtime/Buffer.h"

#include <memory>

namespace kiln::runtime {

/// The tensor that `packed` is a packed copy of, dense and row-major.
/// Memory: beside the result 12 bytes for each of the packed copy's elements while it works.
/// Errors: CompileError for a packing that changes the elements.
std::shared_ptr<const Buffer> unpacked(const Buffer &packed, const Packing &packing,
                                       const TensorType &type);

} // namespace kiln::runtime
