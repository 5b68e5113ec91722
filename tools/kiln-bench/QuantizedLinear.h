//===- QuantizedLinear.h - Packed weights against memory and float32 ----------===//
#pragma once

#include <cstdint>

#include <kiln/Quantization.h>

namespace kiln::tools {

/// Prints a table of times of a Linear with packed weights, of the same with int8 activations and
/// of a float32 one, taken in turns with the bandwidth of the memory.
void benchQuantizedLinear(QuantizationEncoding encoding, int64_t in, int64_t out, double seconds);

} // namespace kiln::tools
