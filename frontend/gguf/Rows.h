#pragma once

#include "kiln/DType.h"
#include "kiln/Quantization.h"

#include <cstddef>
#include <span>

namespace kiln::io::gguf {

/// Decodes blocks on all threads; see runtime::decodeBlocks.
void decode(QuantizationEncoding encoding, std::span<const std::byte> packed, float *values);

/// Whether float32 keeps all values of this dtype, a float.
constexpr bool canWiden(DType dtype) { return isFloat(dtype) && dtype != DType::float64; }

/// Elements of a dtype that can be widened as float32, on all threads.
void widen(DType dtype, std::span<const std::byte> elements, float *values);

/// Encodes blocks of such elements on all threads. Returns the first block that the encoding cannot
/// hold, or -1. See runtime::encodeBlocks.
int64_t encode(QuantizationEncoding encoding, DType dtype, std::span<const std::byte> elements,
               std::byte *packed);

} // namespace kiln::io::gguf
