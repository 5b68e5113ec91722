#include "codegen/Target.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;
using kiln::runtime::CpuFeature;
using kiln::runtime::CpuFeatures;
using kiln::runtime::CpuLevel;

namespace kiln::codegen {
namespace {

/// The target of a feature set; its level is the highest one contained.
Expected<Target> fromFeatures(CpuFeatures features) {
  const CpuLevel *level = runtime::bestCpuLevel(features);
  if (!level)
    return createStringError("this CPU is not supported: it lacks " +
                             (runtime::cpuLevel(0).features - features).str() +
                             " of the baseline x86-64 (SSE4.2)");
  Target target;
  target.name = runtime::cpuKey(features);
  // LLVM's names of the levels are the psABI's; our baseline is the psABI's v2.
  target.cpu = level == &runtime::cpuLevel(0) ? "x86-64-v2" : std::string(level->name);
  // Use zmm registers where the code asks for them: some tunings would split them.
  target.features = features.str("+") + ",-prefer-256-bit";
  target.required = features;
  target.fma = features.has(CpuFeature::fma);
  target.avx2 = features.has(CpuFeature::avx2);
  target.avx512 = features.has(CpuFeature::avx512vl);
  target.vectorBits = target.avx512 ? 512 : target.avx2 ? 256 : 128;
  target.vectorRegisters = target.avx512 ? 32 : 16;
  return target;
}

std::string choices() {
  std::string text = "native";
  for (int i = 0; i < runtime::numCpuLevels; ++i)
    text.append(", ").append(runtime::cpuLevel(i).name);
  for (int i = 0; i < runtime::numCpuLevels; ++i)
    text.append(", ").append(runtime::cpuLevel(i).alias);
  return text + ", amx";
}

} // namespace

passes::CpuTarget Target::forPasses() const {
  passes::CpuTarget target;
  target.vectorBytes = vectorBits / 8;
  target.vectorRegisters = vectorRegisters;
  target.fma = fma;
  target.f16c = has(CpuFeature::f16c);
  target.vnni = has(CpuFeature::avxvnni) || (avx512 && has(CpuFeature::avx512vnni));
  target.bf16 = avx512 && has(CpuFeature::avx512bf16);
  target.tilesEmulated = tilesEmulated;
  target.tiles = tilesEmulated || (has(CpuFeature::amxTile) && has(CpuFeature::amxBf16));
  return target;
}

Expected<Target> Target::host() {
  CpuFeatures features = runtime::hostCpuFeatures();
  const CpuLevel *level = runtime::bestCpuLevel(features);
  if (!level)
    return fromFeatures(features);
  // Features of a level above that the CPU has only in part are left out, so that a target is
  // always a level and extras that no level has.
  CpuFeatures ofLevels = runtime::cpuLevel(runtime::numCpuLevels - 1).features;
  bool avx512 = features.has(CpuFeature::avx512vl) && level->features.has(CpuFeature::avx512vl);
  CpuFeatures extras = avx512 ? features - ofLevels : CpuFeatures{};
  return fromFeatures(level->features | extras);
}

Expected<Target> Target::byName(StringRef name) {
  if (name == "native")
    return host();
  runtime::ParsedTarget parsed = runtime::parseTarget({name.data(), name.size()});
  if (!parsed.isKnown && name.starts_with(StringRef(parsed.unknown)))
    return createStringError("unknown target '" + name.str() + "': choose one of " + choices());
  if (!parsed.isKnown)
    return createStringError("unknown feature '" + std::string(parsed.unknown) + "' in target '" +
                             name.str() + "'");
  return fromFeatures(parsed.features);
}

std::vector<Target> Target::allOnHost() {
  std::vector<Target> targets;
  for (int i = 0; i < runtime::numCpuLevels; ++i)
    if (runtime::hostCpuFeatures().contains(runtime::cpuLevel(i).features))
      targets.push_back(cantFail(fromFeatures(runtime::cpuLevel(i).features)));
  return targets;
}

Error Target::checkRunsOn(CpuFeatures host) const {
  if (host.contains(required))
    return Error::success();
  return createStringError("code for target " + name + " cannot run on this CPU: it lacks " +
                           (required - host).str());
}

} // namespace kiln::codegen
