#pragma once

#include "runtime/Packing.h"

namespace kiln::runtime {

/// Whether a packing is one in tiles.
inline bool isInTiles(const Packing &packing) {
  return packing.kind >= Packing::Kind::rowTiles &&
         packing.kind <= Packing::Kind::channelsFirstTiles;
}

/// A tile's columns of K: 128 bytes of elements of 16 bits.
inline constexpr int64_t tileDepth = 64;

/// packedSizeBytes and pack for such packings.
std::size_t tiledSizeBytes(const Packing &packing, const MatrixShape &shape);
void packTiles(const Packing &packing, const MatrixShape &shape, const std::byte *source,
               std::byte *destination);

} // namespace kiln::runtime
