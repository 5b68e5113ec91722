#include "runtime/quantization/Quantize.h"

#include "kiln/DType.h"

#include <cstring>

namespace kiln::runtime {

namespace {

uint8_t byteAt(const std::byte *packed, std::size_t at) { return static_cast<uint8_t>(packed[at]); }
int8_t signedAt(const std::byte *packed, std::size_t at) { return static_cast<int8_t>(packed[at]); }
float halfAt(const std::byte *packed, std::size_t at) {
  Float16 half;
  std::memcpy(&half.bits, packed + at, sizeof(half.bits));
  return half;
}

void decode(blocks::Q4_0 b, const std::byte *packed, float *values) {
  float scale = halfAt(packed, b.scale);
  for (std::size_t i = 0; i < 16; ++i) {
    int quants = byteAt(packed, b.quants + i);
    values[i] = scale * static_cast<float>((quants & 15) - 8);
    values[i + 16] = scale * static_cast<float>((quants >> 4) - 8);
  }
}

void decode(blocks::Q8_0 b, const std::byte *packed, float *values) {
  float scale = halfAt(packed, b.scale);
  for (std::size_t i = 0; i < b.elements; ++i)
    values[i] = static_cast<float>(signedAt(packed, b.quants + i)) * scale;
}

struct ScaleAndMin {
  int scale, min;
};
/// The numbers of 6 bits of sub-block j, of Q4_K and Q5_K.
ScaleAndMin scalesOf(const std::byte *scales, std::size_t j) {
  if (j < 4)
    return {byteAt(scales, j) & 63, byteAt(scales, j + 4) & 63};
  int low = byteAt(scales, j + 4);
  return {(low & 15) | byteAt(scales, j - 4) >> 6 << 4, low >> 4 | byteAt(scales, j) >> 6 << 4};
}

template <class Block> void decodeWithMins(Block b, const std::byte *packed, float *values) {
  float scale = halfAt(packed, b.scale), minScale = halfAt(packed, b.minScale);
  for (std::size_t j = 0; j < 8; ++j) {
    auto [sc, m] = scalesOf(packed + b.scales, j);
    float step = scale * static_cast<float>(sc), min = minScale * static_cast<float>(m);
    const std::byte *quants = packed + b.quants + 32 * (j / 2);
    for (std::size_t i = 0; i < 32; ++i) {
      int q = byteAt(quants, i) >> (4 * (j % 2)) & 15;
      if constexpr (requires { Block::highBits; })
        q |= (byteAt(packed, b.highBits + i) >> j & 1) << 4;
      values[32 * j + i] = step * static_cast<float>(q) - min;
    }
  }
}

void decode(blocks::Q4_K b, const std::byte *packed, float *values) {
  decodeWithMins(b, packed, values);
}
void decode(blocks::Q5_K b, const std::byte *packed, float *values) {
  decodeWithMins(b, packed, values);
}

void decode(blocks::Q6_K b, const std::byte *packed, float *values) {
  float scale = halfAt(packed, b.scale);
  for (std::size_t h = 0; h < 2; ++h)
    for (std::size_t k = 0; k < 4; ++k)
      for (std::size_t l = 0; l < 32; ++l) {
        std::size_t e = 128 * h + 32 * k + l;
        int nibble = byteAt(packed, b.quants + 64 * h + 32 * (k % 2) + l) >> (4 * (k / 2)) & 15;
        int pair = byteAt(packed, b.highBits + 32 * h + l) >> (2 * k) & 3;
        float step = scale * static_cast<float>(signedAt(packed, b.scales + e / 16));
        values[e] = step * static_cast<float>((nibble | pair << 4) - 32);
      }
}

template <class Block> void decodeAll(const std::byte *packed, int64_t count, float *values) {
  for (int64_t i = 0; i < count; ++i, packed += Block::bytes, values += Block::elements)
    decode(Block(), packed, values);
}

} // namespace

void decodeBlocks(QuantizationEncoding encoding, const std::byte *packed, int64_t count,
                  float *values) {
  switch (encoding) {
  case QuantizationEncoding::Q4_0:
    return decodeAll<blocks::Q4_0>(packed, count, values);
  case QuantizationEncoding::Q8_0:
    return decodeAll<blocks::Q8_0>(packed, count, values);
  case QuantizationEncoding::Q4_K:
    return decodeAll<blocks::Q4_K>(packed, count, values);
  case QuantizationEncoding::Q5_K:
    return decodeAll<blocks::Q5_K>(packed, count, values);
  case QuantizationEncoding::Q6_K:
    return decodeAll<blocks::Q6_K>(packed, count, values);
  }
}

} // namespace kiln::runtime
