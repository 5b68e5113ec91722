#pragma once

#include "kiln/Quantization.h"

namespace kiln::runtime {

/// Decodes blocks: `values` gets count * blockElements(encoding) floats. Any bytes can be decoded;
/// scales that are NaN or infinite give what IEEE arithmetic makes of them.
/// Equal bit for bit to the package `gguf`, but for the payload of a NaN.
void decodeBlocks(QuantizationEncoding encoding, const std::byte *packed, int64_t count,
                  float *values);

/// Encodes count * blockElements(encoding) finite floats: `packed` gets the blocks.
/// Q4_0 and Q8_0 are those of the package `gguf`. The others minimise the squared error of each
/// block (QuantizeK.cpp says how).
/// Returns false, with some of `packed` written, if a value is not finite or so large that a scale
/// is (beyond 65504 * 8 in Q4_0, for example).
bool encodeBlocks(QuantizationEncoding encoding, const float *values, int64_t count,
                  std::byte *packed);

namespace detail {
/// Of one block of 256 floats. Both scales may come out infinite.
void encodeQ4_K(const float *values, std::byte *packed);
void encodeQ5_K(const float *values, std::byte *packed);
void encodeQ6_K(const float *values, std::byte *packed);
} // namespace detail

} // namespace kiln::runtime
