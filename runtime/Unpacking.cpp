#include "runtime/Unpacking.h"

#include "kiln/Error.h"
#include "runtime/Packing.h"

#include <cstring>
#include <numeric>
#include <vector>

#include <fmt/format.h>

namespace kiln::runtime {

static bool movesElements(Packing::Kind kind) {
  switch (kind) {
  case Packing::Kind::none:
  case Packing::Kind::rowPanels:
  case Packing::Kind::columnPanels:
  case Packing::Kind::filterPanels:
  case Packing::Kind::channelsFirstPanels:
    return true;
  default:
    return false;
  }
}

std::shared_ptr<const Buffer> unpacked(const Buffer &packed, const Packing &packing,
                                       const TensorType &type) {
  if (!movesElements(packing.kind))
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
  // Packs the elements' numbers, from 1 on: so each says where it came from, and 0 is padding.
  std::vector<uint64_t> numbers(shape.sizeBytes() / elementBytes);
  std::iota(numbers.begin(), numbers.end(), uint64_t{1});
  MatrixShape ofNumbers = shape;
  ofNumbers.elementBytes = sizeof(uint64_t);
  std::vector<uint64_t> places(packedSizeBytes(packing, ofNumbers) / sizeof(uint64_t));
  pack(packing, ofNumbers, reinterpret_cast<const std::byte *>(numbers.data()),
       reinterpret_cast<std::byte *>(places.data()));
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i])
      std::memcpy(dense->mutableData() + (places[i] - 1) * elementBytes,
                  packed.data() + i * elementBytes, elementBytes);
  return dense;
}

} // namespace kiln::runtime
