#include "runtime/cpu/HostCpu.h"

#include <algorithm>
#include <array>

#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace kiln::runtime {
namespace {

enum Register : uint8_t { eax, ebx, ecx, edx };

/// What the operating system has to save for a feature to be usable: bits of XCR0
/// (Intel SDM volume 1, 13.3: 1 SSE, 2 AVX, 5-7 AVX-512, 17-18 AMX).
enum OsState : uint32_t { none = 0, ymm = 0x6, zmm = 0xe6, tiles = 0x60000 };

/// Where a feature is reported (Intel SDM volume 2, CPUID).
struct FeatureInfo {
  CpuFeature feature;
  std::string_view name;
  uint32_t leaf, subleaf;
  Register reg;
  int bit;
  OsState state;
};

using enum CpuFeature;

constexpr std::array<FeatureInfo, numCpuFeatures> featureInfos = {{
    {cx16, "cx16", 1, 0, ecx, 13, none},
    {lahf, "sahf", 0x80000001, 0, ecx, 0, none},
    {popcnt, "popcnt", 1, 0, ecx, 23, none},
    {sse3, "sse3", 1, 0, ecx, 0, none},
    {ssse3, "ssse3", 1, 0, ecx, 9, none},
    {sse41, "sse4.1", 1, 0, ecx, 19, none},
    {sse42, "sse4.2", 1, 0, ecx, 20, none},
    {avx, "avx", 1, 0, ecx, 28, ymm},
    {avx2, "avx2", 7, 0, ebx, 5, ymm},
    {bmi, "bmi", 7, 0, ebx, 3, none},
    {bmi2, "bmi2", 7, 0, ebx, 8, none},
    {f16c, "f16c", 1, 0, ecx, 29, ymm},
    {fma, "fma", 1, 0, ecx, 12, ymm},
    {lzcnt, "lzcnt", 0x80000001, 0, ecx, 5, none},
    {movbe, "movbe", 1, 0, ecx, 22, none},
    {avx512f, "avx512f", 7, 0, ebx, 16, zmm},
    {avx512bw, "avx512bw", 7, 0, ebx, 30, zmm},
    {avx512cd, "avx512cd", 7, 0, ebx, 28, zmm},
    {avx512dq, "avx512dq", 7, 0, ebx, 17, zmm},
    {avx512vl, "avx512vl", 7, 0, ebx, 31, zmm},
    {avxvnni, "avxvnni", 7, 1, eax, 4, ymm},
    {avx512vbmi, "avx512vbmi", 7, 0, ecx, 1, zmm},
    {avx512vnni, "avx512vnni", 7, 0, ecx, 11, zmm},
    {avx512bf16, "avx512bf16", 7, 1, eax, 5, zmm},
    {avx512fp16, "avx512fp16", 7, 0, edx, 23, zmm},
    {amxTile, "amx-tile", 7, 0, edx, 24, tiles},
    {amxInt8, "amx-int8", 7, 0, edx, 25, tiles},
    {amxBf16, "amx-bf16", 7, 0, edx, 22, tiles},
}};

constexpr CpuFeatures v2{cx16, lahf, popcnt, sse3, ssse3, sse41, sse42};
constexpr CpuFeatures v3 = v2 | CpuFeatures{avx, avx2, bmi, bmi2, f16c, fma, lzcnt, movbe};
constexpr CpuFeatures v4 = v3 | CpuFeatures{avx512f, avx512bw, avx512cd, avx512dq, avx512vl};

/// What products in AMX's tiles need, and every CPU with AMX has.
constexpr CpuFeatures withAmx = v4 | CpuFeatures{avx512vnni, avx512bf16, amxTile, amxBf16};

constexpr std::array<CpuLevel, numCpuLevels> levels = {{
    {"x86-64", "baseline", v2},
    {"x86-64-v3", "avx2", v3},
    {"x86-64-v4", "avx512", v4},
}};

#if defined(__x86_64__)
/// The state components that the operating system has switched on (XCR0), 0 without XSAVE.
uint64_t enabledOsState() {
  uint32_t regs[4];
  constexpr uint32_t osxsave = uint32_t{1} << 27;
  if (!__get_cpuid(1, &regs[eax], &regs[ebx], &regs[ecx], &regs[edx]) || !(regs[ecx] & osxsave))
    return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

/// Asks Linux for the memory of tile registers, once for the process and all its threads.
bool requestTiles() {
#if defined(__linux__)
  constexpr int requestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM, Linux 5.16
  constexpr int tileData = 18;              // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
  return false;
#endif
}

/// What $KILN_CPU_WITHOUT names, "amx-tile,avx512bf16".
CpuFeatures unwanted() {
  CpuFeatures features;
  const char *list = std::getenv("KILN_CPU_WITHOUT");
  std::string_view rest = list ? list : "";
  while (!rest.empty()) {
    std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (std::optional<CpuFeature> feature = featureByName(name))
      features.add(*feature);
  }
  return features;
}

CpuFeatures detect() {
  const uint64_t osState = enabledOsState();
  CpuFeatures found;
  for (const FeatureInfo &info : featureInfos) {
    uint32_t regs[4];
    // Fails if the CPU does not know the leaf; an unknown subleaf of a known leaf reads as zero.
    if (!__get_cpuid_count(info.leaf, info.subleaf, &regs[eax], &regs[ebx], &regs[ecx], &regs[edx]))
      continue;
    if (regs[info.reg] >> info.bit & 1 && (osState & info.state) == info.state)
      found.add(info.feature);
  }
  found = found - unwanted();
  constexpr CpuFeatures amx{amxTile, amxInt8, amxBf16};
  if (!found.has(amxTile) || !requestTiles())
    found = found - amx;
  return found;
}
#else
CpuFeatures detect() { return {}; }
#endif

} // namespace

std::string CpuFeatures::str(std::string_view prefix) const {
  std::string text;
  for (const FeatureInfo &info : featureInfos) {
    if (!has(info.feature))
      continue;
    if (!text.empty())
      text += ',';
    text.append(prefix).append(info.name);
  }
  return text;
}

std::string_view featureName(CpuFeature feature) {
  return featureInfos[static_cast<size_t>(feature)].name;
}

std::optional<CpuFeature> featureByName(std::string_view name) {
  for (const FeatureInfo &info : featureInfos)
    if (info.name == name)
      return info.feature;
  return std::nullopt;
}

std::vector<CpuRequirement> cpuRequirements(CpuFeatures features) {
  std::vector<CpuRequirement> result;
  for (const FeatureInfo &info : featureInfos)
    if (features.has(info.feature))
      result.push_back({info.name, info.leaf, info.subleaf, info.reg, info.bit, info.state});
  return result;
}

const CpuLevel &cpuLevel(int index) { return levels.at(static_cast<size_t>(index)); }

CpuFeatures hostCpuFeatures() {
  static const CpuFeatures features = detect();
  return features;
}

const CpuLevel *bestCpuLevel(CpuFeatures features) {
  for (int i = numCpuLevels; i-- > 0;)
    if (features.contains(cpuLevel(i).features))
      return &cpuLevel(i);
  return nullptr;
}

constexpr const char *psabiNames[numCpuLevels] = {"v2", "v3", "v4"};

static const CpuLevel *levelByName(std::string_view name) {
  for (const CpuLevel &level : levels)
    if (name == level.name || name == level.alias)
      return &level;
  if (name.starts_with("x86-64-"))
    name.remove_prefix(std::string_view("x86-64-").size());
  for (int i = 0; i < numCpuLevels; ++i) // the psABI's names, v2 to v4, alone as well
    if (name == std::string_view(psabiNames[i]))
      return &levels[i];
  return nullptr;
}

ParsedTarget parseTarget(std::string_view name) {
  ParsedTarget parsed;
  if (name.ends_with('+'))
    return {{}, "", false};
  for (bool isFirst = true; isFirst || !name.empty(); isFirst = false) {
    std::string_view part = name.substr(0, name.find('+'));
    name.remove_prefix(std::min(name.size(), part.size() + 1));
    const CpuLevel *level = isFirst ? levelByName(part) : nullptr;
    std::optional<CpuFeature> feature = isFirst ? std::nullopt : featureByName(part);
    const bool isAmx = isFirst && part == "amx";
    if (!level && !feature && !isAmx)
      return {{}, part, false};
    if (isAmx)
      parsed.features = withAmx;
    else if (level)
      parsed.features = level->features;
    else
      parsed.features.add(*feature);
  }
  return parsed;
}

std::string cpuKey(CpuFeatures features) {
  const CpuLevel *level = bestCpuLevel(features);
  if (!level)
    return "unsupported";
  std::string key(level->name);
  for (const FeatureInfo &info : featureInfos)
    if ((features - level->features).has(info.feature))
      key.append("+").append(info.name);
  return key;
}

} // namespace kiln::runtime
