//===- QuantizedLinear.h - Packed weights against memory and float32 ----------===//
#pragma once

#include <cstdint>

#include <kiln/Quantization.h>

namespace kiln::tools {

/// Prints a table of times of a Linear with packed weights, of the same with int8 activations and
/// of a float32 one, taken in turns with the bandwidth of the memory.
void benchQuantizedLinear(QuantizationEncoding encoding, int64_t in, int64_t out, double seconds);

/// Says {"ready": true}, then answers a JSON line on standard output for each on standard input:
///   {"rows": 1, "int8": false, "seconds": 0.2}  times calls with float32 or int8 activations:
///                                               {"median_us": m}
///   {"seconds": 0.2}                            reads memory: {"memory_gb_s": m}
void answerQuantizedLinear(QuantizationEncoding encoding, int64_t in, int64_t out);

} // namespace kiln::tools
