#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::passes {

/// What the lowering must know of a CPU; codegen::Target derives it.
struct CpuTarget {
  int64_t vectorBytes = 16;     // 16 (x86-64-v2), 32 (AVX2), 64 (AVX-512)
  int64_t vectorRegisters = 16; // 32 with AVX-512
  bool fma = false;             // else products are a multiplication and an addition
  bool f16c = false;            // hardware float16 conversion
  bool vnni = false;            // vpdpbusd on vectors of 32 bytes
  bool bf16 = false;            // vdpbf16ps on vectors of 64 bytes
  bool tiles = false;           // AMX for bfloat16
  bool tilesEmulated = false;   // its instructions by ordinary code, for tests

  /// Lanes of float32 in a vector.
  int64_t lanes() const { return vectorBytes / 4; }

  /// The levels x86-64 (SSE4.2), x86-64-v3 (AVX2, FMA, F16C) and x86-64-v4 (AVX-512), the last one
  /// with any of +avx512vnni, +avx512bf16 and +amx-tile+amx-bf16, and of +amx-emulated,
  /// with which kernels for AMX run anywhere.
  static std::optional<CpuTarget> byName(std::string_view name);
};

} // namespace kiln::passes
