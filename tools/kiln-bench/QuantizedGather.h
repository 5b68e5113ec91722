//===- QuantizedGather.h - Gathers of packed rows against floats --------------===//
#pragma once

#include <cstdint>

namespace kiln::tools {

struct QuantizedGatherOptions {
  int64_t rows = 131072;  ///< Of each table.
  int64_t columns = 1024; ///< Elements of a row, a multiple of 256.
  int64_t ids = 100000;   ///< Looked up in a call, drawn evenly.
  int rounds = 9;         ///< In each all tables take their turn.
};

/// Looks up random rows of one table as float32 and packed in each encoding, in turns, and prints a
/// line for each: median time, packed bytes read a second, their share of the memory bandwidth
/// (measured in the same rounds), and how many times the float32 gather takes as long.
void benchQuantizedGather(const QuantizedGatherOptions &options);

} // namespace kiln::tools
