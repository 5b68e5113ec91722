#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string_view>

/// Block formats of packed weights: what they are called and how they lie in memory. A row is cut
/// into blocks of elements that share their scales; blocks follow each other without gaps, and a
/// row is a whole number of them. Numbers are little endian; "half" is IEEE binary16. All
/// arithmetic of decoding is float32, one rounding for each operation written here, no contraction.
/// Source: the structs block_q4_0, block_q8_0, block_q4_K, block_q5_K and block_q6_K of ggml
/// (ggml-common.h), which GGUF files hold.
namespace kiln {

enum class QuantizationEncoding : uint8_t { Q4_0, Q8_0, Q4_K, Q5_K, Q6_K };

/// "Q4_K".
std::string_view name(QuantizationEncoding encoding);
/// Inverse of `name`, in upper or lower case.
std::optional<QuantizationEncoding> parseQuantizationEncoding(std::string_view text);
std::ostream &operator<<(std::ostream &os, QuantizationEncoding encoding);

namespace blocks {

/// x[i] = scale * (q[i] - 8); q[i] is the low nibble of quants[i] and q[i + 16] the high one,
/// for i < 16.
struct Q4_0 {
  static constexpr std::size_t elements = 32, bytes = 18;
  static constexpr std::size_t scale = 0;  // half
  static constexpr std::size_t quants = 2; // 16 bytes
};

/// x[i] = scale * q[i].
struct Q8_0 {
  static constexpr std::size_t elements = 32, bytes = 34;
  static constexpr std::size_t scale = 0;  // half
  static constexpr std::size_t quants = 2; // 32 int8
};

/// Eight sub-blocks of 32 elements. Of sub-block j: x = (scale * sc[j]) * q - (minScale * m[j]).
///   sc[j] and m[j], unsigned numbers of 6 bits, in the 12 bytes of `scales`:
///     j < 4:  sc[j] = scales[j] & 63,              m[j] = scales[j + 4] & 63
///     j >= 4: sc[j] = (scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4,
///             m[j]  = (scales[j + 4] >> 4) | (scales[j] >> 6) << 4
///   q of element i of sub-block j: a nibble of quants[32 * (j / 2) + i], the low one for even j,
///   the high one for odd j.
struct Q4_K {
  static constexpr std::size_t elements = 256, bytes = 144;
  static constexpr std::size_t scale = 0, minScale = 2; // halves
  static constexpr std::size_t scales = 4;              // 12 bytes
  static constexpr std::size_t quants = 16;             // 128 bytes
};

/// As Q4_K, with 16 * (bit j of highBits[i]) added to q of element i of sub-block j.
struct Q5_K {
  static constexpr std::size_t elements = 256, bytes = 176;
  static constexpr std::size_t scale = 0, minScale = 2; // halves
  static constexpr std::size_t scales = 4;              // 12 bytes
  static constexpr std::size_t highBits = 16;           // 32 bytes
  static constexpr std::size_t quants = 48;             // 128 bytes
};

/// Sixteen sub-blocks of 16 elements: x = (scale * scales[e / 16]) * (q - 32) for element e of the
/// block. Of element e = 128 * h + 32 * k + l (h < 2, k < 4, l < 32):
///   q = nibble | pair << 4, where
///   nibble: of quants[64 * h + 32 * (k % 2) + l], the low one for k < 2, the high one else
///   pair:   bits 2 * k and 2 * k + 1 of highBits[32 * h + l]
struct Q6_K {
  static constexpr std::size_t elements = 256, bytes = 210;
  static constexpr std::size_t quants = 0;     // 128 bytes
  static constexpr std::size_t highBits = 128; // 64 bytes
  static constexpr std::size_t scales = 192;   // 16 int8
  static constexpr std::size_t scale = 208;    // half
};

} // namespace blocks

/// Elements of a block.
constexpr int64_t blockElements(QuantizationEncoding encoding) {
  constexpr std::size_t sizes[] = {blocks::Q4_0::elements, blocks::Q8_0::elements,
                                   blocks::Q4_K::elements, blocks::Q5_K::elements,
                                   blocks::Q6_K::elements};
  return static_cast<int64_t>(sizes[static_cast<std::size_t>(encoding)]);
}
/// Bytes of a block.
constexpr int64_t blockBytes(QuantizationEncoding encoding) {
  constexpr std::size_t sizes[] = {blocks::Q4_0::bytes, blocks::Q8_0::bytes, blocks::Q4_K::bytes,
                                   blocks::Q5_K::bytes, blocks::Q6_K::bytes};
  return static_cast<int64_t>(sizes[static_cast<std::size_t>(encoding)]);
}
/// Bytes of a packed row of so many elements, a multiple of blockElements.
constexpr int64_t packedRowBytes(QuantizationEncoding encoding, int64_t elements) {
  return elements / blockElements(encoding) * blockBytes(encoding);
}

} // namespace kiln
