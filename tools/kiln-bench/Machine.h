//===- Machine.h - What the machine can do ------------------------------------===//
#pragma once

#include <cstdint>
#include <string>

#include <kiln/DType.h>

namespace kiln::tools {

/// Peaks, measured: operations and bytes a second.
struct Machine {
  int64_t threads = 1;
  std::string fmaWidth;                   ///< "AVX-512", "AVX2", or empty where there is no FMA.
  double flopsOne = 0, flops = 0;         ///< float32 multiply-adds of one thread, of all.
  double bf16FlopsOne = 0, bf16Flops = 0; ///< vdpbf16ps; 0 where the processor has none.
  double memoryOne = 0, memory = 0;       ///< Reading 512 MiB, beyond the caches.
  double lastCache = 0;                   ///< Reading half of the last cache, all threads.
  double nearCache = 0;                   ///< Reading 256 KiB a thread, all threads.
  int64_t lastCacheBytes = 0;

  /// Of products of a dtype by all threads: bfloat16 by whichever of the two units does more.
  double flopsOf(DType dtype) const;
  /// For `bytes` bytes that are read again and again by all threads.
  double bandwidthFor(double bytes) const;
};

/// The largest of several short measurements each: some seconds in all.
Machine measureMachine(int64_t threads);

/// A line for each peak.
std::string describe(const Machine &machine);

} // namespace kiln::tools
