#pragma once

#include "mlir/IR/Value.h"

namespace kiln::passes {

/// Bytes, a power of two of at most 16, to which an address within a device function is certainly
/// aligned, as told by how it is computed: the buffers of a kernel are aligned to 16 bytes
/// (KilnRuntime::launch).
unsigned knownAlignment(mlir::Value pointer);

/// The largest power of two, at most 16, that certainly divides an integer.
unsigned knownDivisor(mlir::Value value);

} // namespace kiln::passes
