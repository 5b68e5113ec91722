#include "runtime/Unpacking.h"

#include "kiln/Error.h"
#include "runtime/Packing.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include <fmt/format.h>

namespace kiln::runtime {

static bool movesElements(const Packing &packing, DType dtype) {
  switch (packing.kind) {
  case Packing::Kind::none:
  case Packing::Kind::rowPanels:
  case Packing::Kind::columnPanels:
  case Packing::Kind::filterPanels:
  case Packing::Kind::channelsFirstPanels:
  case Packing::Kind::rowTiles:
  case Packing::Kind::columnTiles:
  case Packing::Kind::filterTiles:
  case Packing::Kind::channelsFirstTiles:
    return true;
  case Packing::Kind::rowPairs:
  case Packing::Kind::columnPairs:
  case Packing::Kind::filterPairs:
  case Packing::Kind::channelsFirstPairs:
    return dtype == DType::bfloat16; // float32 is rounded
  case Packing::Kind::rowParts:
  case Packing::Kind::columnParts:
  case Packing::Kind::filterParts:
  case Packing::Kind::channelsFirstParts:
    return false; // the sum of the parts is rounded
  }
  return false;
}

/// Of each element of a packed copy the number of the one it came from, counted from 1 on; 0 for
/// padding. Packs these numbers, in parts of 16 bits: what is packed in pairs has elements of
/// those.
static std::vector<uint64_t> packedNumbers(const Packing &packing, MatrixShape shape) {
  const std::size_t count = shape.sizeBytes() / static_cast<std::size_t>(shape.elementBytes);
  shape.elementBytes = sizeof(uint16_t);
  std::vector<uint16_t> parts(count), packed(packedSizeBytes(packing, shape) / sizeof(uint16_t));
  std::vector<uint64_t> places(packed.size());
  for (int shift = 0; shift < 48; shift += 16) {
    for (std::size_t i = 0; i < count; ++i)
      parts[i] = static_cast<uint16_t>((i + 1) >> shift);
    pack(packing, shape, reinterpret_cast<const std::byte *>(parts.data()),
         reinterpret_cast<std::byte *>(packed.data()));
    for (std::size_t i = 0; i < packed.size(); ++i)
      places[i] |= uint64_t{packed[i]} << shift;
  }
  return places;
}

std::shared_ptr<const Buffer> unpacked(const Buffer &packed, const Packing &packing,
                                       const TensorType &type) {
  if (!movesElements(packing, type.dtype))
    throw CompileError(
        fmt::format("a weight {} is there only in other numbers, rounded for the CPU that the "
                    "model was compiled for",
                    type.str()));
  MatrixShape shape = matrixShape(packing, type);
  auto elementBytes = static_cast<std::size_t>(shape.elementBytes);
  std::shared_ptr<Buffer> dense = Buffer::allocate(shape.sizeBytes());
  if (packing.kind == Packing::Kind::none) {
    pack(packing, shape, packed.data(), dense->mutableData());
    return dense;
  }
  std::vector<uint64_t> places = packedNumbers(packing, shape);
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i])
      std::memcpy(dense->mutableData() + (places[i] - 1) * elementBytes,
                  packed.data() + i * elementBytes, elementBytes);
  return dense;
}

} // namespace kiln::runtime
