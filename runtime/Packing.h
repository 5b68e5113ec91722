#pragma once

#include "kiln/Shape.h"
#include "runtime/Artifact.h"

#include <cstddef>
#include <cstdint>

namespace kiln::runtime {

/// A tensor as a stack of dense row-major matrices: its last two dims, and the product of those
/// before them (a filter: one matrix, those before the last as its rows).
struct MatrixShape {
  int64_t matrices = 1;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t elementBytes = 0; // 1, 2, 4 or 8
  int64_t taps = 1;         // of a channels-first filter [N, C, ...]: a row is [C, taps]

  std::size_t sizeBytes() const {
    return static_cast<std::size_t>(matrices * rows * columns * elementBytes);
  }
  friend bool operator==(const MatrixShape &, const MatrixShape &) = default;
};

/// How `packing` looks at a tensor of `type` (static shape). Packing::Kind::none takes any rank:
/// one row. Errors: ValueError if the rank is below 2 or `panel` is not positive, or if pairs are
/// wanted of elements that are neither bfloat16 nor float32.
MatrixShape matrixShape(const Packing &packing, const TensorType &type);

/// Bytes of the packed copy: whole panels.
std::size_t packedSizeBytes(const Packing &packing, const MatrixShape &shape);

/// Writes the packed copy of `source` to `destination`, on all threads. Both are aligned to their
/// elements, but for Packing::Kind::none, which copies bytes.
void pack(const Packing &packing, const MatrixShape &shape, const std::byte *source,
          std::byte *destination);

} // namespace kiln::runtime
