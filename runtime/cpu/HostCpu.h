#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::runtime {

/// The x86 features that Kiln's code generator may use. The order is that of the canonical strings.
enum class CpuFeature : uint8_t {
  // x86-64-v2
  cx16,
  lahf,
  popcnt,
  sse3,
  ssse3,
  sse41,
  sse42,
  // x86-64-v3
  avx,
  avx2,
  bmi,
  bmi2,
  f16c,
  fma,
  lzcnt,
  movbe,
  // x86-64-v4
  avx512f,
  avx512bw,
  avx512cd,
  avx512dq,
  avx512vl,
  // beyond the levels
  avxvnni,
  avx512vbmi,
  avx512vnni,
  avx512bf16,
  avx512fp16,
  amxTile,
  amxInt8,
  amxBf16,
};
inline constexpr int numCpuFeatures = static_cast<int>(CpuFeature::amxBf16) + 1;

/// A set of `CpuFeature`: a value of 8 bytes.
class CpuFeatures {
public:
  constexpr CpuFeatures() = default;
  constexpr CpuFeatures(std::initializer_list<CpuFeature> list) {
    for (CpuFeature feature : list)
      add(feature);
  }
  constexpr void add(CpuFeature feature) { bits |= uint64_t{1} << static_cast<int>(feature); }
  constexpr bool has(CpuFeature feature) const { return bits >> static_cast<int>(feature) & 1; }
  constexpr bool contains(CpuFeatures other) const { return (bits & other.bits) == other.bits; }
  constexpr CpuFeatures operator|(CpuFeatures other) const { return fromBits(bits | other.bits); }
  constexpr CpuFeatures operator-(CpuFeatures other) const { return fromBits(bits & ~other.bits); }
  constexpr bool operator==(const CpuFeatures &) const = default;
  constexpr bool empty() const { return bits == 0; }
  constexpr uint64_t toBits() const { return bits; }
  static constexpr CpuFeatures fromBits(uint64_t value) {
    CpuFeatures set;
    set.bits = value;
    return set;
  }

  /// The features in LLVM's spelling with a prefix before each: `+sse3,+avx` for "+".
  std::string str(std::string_view prefix = "") const;

private:
  uint64_t bits = 0;
};

/// LLVM's spelling of a feature, such as `sse4.2` or `amx-bf16`.
std::string_view featureName(CpuFeature feature);

/// The feature of that spelling, or nothing.
std::optional<CpuFeature> featureByName(std::string_view name);

/// Where the CPU says that it has a feature: a bit of register `reg` (0 eax to 3 edx) of a CPUID
/// leaf, and what the operating system must save for it, bits of XCR0.
struct CpuRequirement {
  std::string_view name;
  uint32_t leaf, subleaf;
  int reg, bit;
  uint32_t state;
};
std::vector<CpuRequirement> cpuRequirements(CpuFeatures features);

/// A level of the x86-64 psABI that Kiln generates code for.
struct CpuLevel {
  std::string_view name;  ///< `x86-64`, `x86-64-v3` or `x86-64-v4`.
  std::string_view alias; ///< `baseline`, `avx2` or `avx512`.
  CpuFeatures features;
};

/// Number of levels: the baseline `x86-64` (SSE4.2, the psABI's x86-64-v2: it has `roundps`, so
/// that no rounding needs a library), `x86-64-v3` (AVX2 and FMA) and `x86-64-v4` (AVX-512 F, BW,
/// CD, DQ, VL).
inline constexpr int numCpuLevels = 3;

/// Level 0 is the lowest.
const CpuLevel &cpuLevel(int index);

/// The features of the running CPU that the operating system supports as well (saves the registers
/// of), asked of the CPU itself once, without those that $KILN_CPU_WITHOUT names
/// ("amx-tile,avx512bf16"). Nothing on other architectures. Asks Linux for AMX's registers where
/// the CPU has them: AMX counts only where they are granted.
CpuFeatures hostCpuFeatures();

/// The highest level that `features` contains, or nothing if it lacks even the baseline.
const CpuLevel *bestCpuLevel(CpuFeatures features);

/// A target's name: a level (its name or alias, or `x86-64-v2` for the baseline), or `amx` for the
/// highest level with AMX's bfloat16 products, and `+FEATURE`s behind it. `unknown`: the first part
/// that is none of these; empty if there is none.
struct ParsedTarget {
  CpuFeatures features;
  std::string_view unknown;
  bool isKnown = true;
};
ParsedTarget parseTarget(std::string_view name);

/// One line for cache keys: the best level and what is there beyond it, such as
/// `x86-64-v4+avx512vnni+avx512bf16`; `unsupported` if the CPU lacks the baseline.
std::string cpuKey(CpuFeatures features);

} // namespace kiln::runtime
