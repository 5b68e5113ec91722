#pragma once

#include <cstdint>

namespace kiln::passes {

/// What the lowering must know of a CPU; codegen::Target derives it.
struct CpuTarget {
  int64_t vectorBytes = 16;     // 16 (x86-64-v2), 32 (AVX2), 64 (AVX-512)
  int64_t vectorRegisters = 16; // 32 with AVX-512
  bool fma = false;             // else products are a multiplication and an addition
  bool f16c = false;            // hardware float16 conversion

  /// Lanes of float32 in a vector.
  int64_t lanes() const { return vectorBytes / 4; }
};

} // namespace kiln::passes
