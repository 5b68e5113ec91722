#include "runtime/quantization/Quantize.h"

#include "kiln/DType.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kiln::runtime {

namespace {

/// Beyond what any encoding can hold (Q6_K: 65504 * 128 * 32), and far from overflow when squared.
constexpr float largestValue = 0x1p31f;

/// False if the half is infinite.
bool storeHalf(std::byte *packed, float value) {
  Float16 half(value);
  std::memcpy(packed, &half.bits, sizeof(half.bits));
  return (half.bits & 0x7c00) != 0x7c00;
}
bool isFiniteHalf(const std::byte *packed) {
  uint16_t bits;
  std::memcpy(&bits, packed, sizeof(bits));
  return (bits & 0x7c00) != 0x7c00;
}

/// 1 / scale; 0 for scales so small that it overflows: as halves they are 0.
float inverseOf(float scale) {
  float inverse = scale == 0 ? 0 : 1 / scale;
  return std::isfinite(inverse) ? inverse : 0;
}

bool encode(blocks::Q4_0 b, const float *values, std::byte *packed) {
  float largest = *std::max_element(values, values + b.elements,
                                    [](float x, float y) { return std::abs(x) < std::abs(y); });
  float scale = largest / -8, inverse = inverseOf(scale);
  auto quant = [&](std::size_t i) {
    return std::clamp(static_cast<int>(values[i] * inverse + 8.5f), 0, 15);
  };
  for (std::size_t i = 0; i < 16; ++i)
    packed[b.quants + i] = std::byte(quant(i) | quant(i + 16) << 4);
  return storeHalf(packed + b.scale, scale);
}

bool encode(blocks::Q8_0 b, const float *values, std::byte *packed) {
  float largest = 0;
  for (std::size_t i = 0; i < b.elements; ++i)
    largest = std::max(largest, std::abs(values[i]));
  float scale = largest / 127, inverse = inverseOf(scale);
  for (std::size_t i = 0; i < b.elements; ++i)
    packed[b.quants + i] = std::byte(static_cast<int8_t>(std::round(values[i] * inverse)));
  return storeHalf(packed + b.scale, scale);
}

bool encode(blocks::Q4_K b, const float *values, std::byte *packed) {
  detail::encodeQ4_K(values, packed);
  return isFiniteHalf(packed + b.scale) && isFiniteHalf(packed + b.minScale);
}
bool encode(blocks::Q5_K b, const float *values, std::byte *packed) {
  detail::encodeQ5_K(values, packed);
  return isFiniteHalf(packed + b.scale) && isFiniteHalf(packed + b.minScale);
}
bool encode(blocks::Q6_K b, const float *values, std::byte *packed) {
  detail::encodeQ6_K(values, packed);
  return isFiniteHalf(packed + b.scale);
}

template <class Block> bool encodeAll(const float *values, int64_t count, std::byte *packed) {
  for (int64_t i = 0; i < count; ++i, values += Block::elements, packed += Block::bytes) {
    bool isInRange = std::all_of(values, values + Block::elements,
                                 [](float value) { return std::abs(value) <= largestValue; });
    if (!isInRange || !encode(Block(), values, packed))
      return false;
  }
  return true;
}

} // namespace

bool encodeBlocks(QuantizationEncoding encoding, const float *values, int64_t count,
                  std::byte *packed) {
  switch (encoding) {
  case QuantizationEncoding::Q4_0:
    return encodeAll<blocks::Q4_0>(values, count, packed);
  case QuantizationEncoding::Q8_0:
    return encodeAll<blocks::Q8_0>(values, count, packed);
  case QuantizationEncoding::Q4_K:
    return encodeAll<blocks::Q4_K>(values, count, packed);
  case QuantizationEncoding::Q5_K:
    return encodeAll<blocks::Q5_K>(values, count, packed);
  case QuantizationEncoding::Q6_K:
    return encodeAll<blocks::Q6_K>(values, count, packed);
  }
  return false;
}

} // namespace kiln::runtime
