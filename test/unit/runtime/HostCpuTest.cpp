#include "runtime/cpu/HostCpu.h"

#include "kiln/Error.h"
#include "runtime/CodeImage.h"

#include <gtest/gtest.h>

using namespace kiln::runtime;

TEST(HostCpu, LevelsAreNested) {
  for (int i = 1; i < numCpuLevels; ++i) {
    EXPECT_TRUE(cpuLevel(i).features.contains(cpuLevel(i - 1).features));
    EXPECT_NE(cpuLevel(i).features, cpuLevel(i - 1).features);
  }
}

TEST(HostCpu, BestLevelIsTheHighestContained) {
  for (int i = 0; i < numCpuLevels; ++i)
    EXPECT_EQ(bestCpuLevel(cpuLevel(i).features), &cpuLevel(i));
  CpuFeatures noFma = cpuLevel(2).features - CpuFeatures{CpuFeature::fma};
  EXPECT_EQ(bestCpuLevel(noFma), &cpuLevel(0)) << "AVX-512 without FMA is no level";
  EXPECT_EQ(bestCpuLevel({}), nullptr);
}

TEST(HostCpu, KeyNamesLevelAndExtras) {
  EXPECT_EQ(cpuKey(cpuLevel(1).features), "x86-64-v3");
  EXPECT_EQ(cpuKey(cpuLevel(2).features | CpuFeatures{CpuFeature::amxBf16, CpuFeature::avx512bf16}),
            "x86-64-v4+avx512bf16+amx-bf16");
  EXPECT_EQ(cpuKey({}), "unsupported");
}

TEST(HostCpu, TargetsAreParsed) {
  for (int i = 0; i < numCpuLevels; ++i)
    for (std::string_view name : {cpuLevel(i).name, cpuLevel(i).alias})
      EXPECT_EQ(parseTarget(name).features, cpuLevel(i).features);
  EXPECT_EQ(parseTarget("x86-64-v2").features, cpuLevel(0).features);
  for (int i = 0; i < numCpuLevels; ++i)
    EXPECT_EQ(parseTarget("v" + std::to_string(i + 2)).features, cpuLevel(i).features);
  CpuFeatures many = cpuLevel(1).features | CpuFeatures{CpuFeature::avxvnni, CpuFeature::amxTile};
  EXPECT_EQ(parseTarget("avx2+avxvnni+amx-tile").features, many);
  EXPECT_EQ(parseTarget(cpuKey(many)).features, many);
  auto unknown = [](std::string_view name) {
    ParsedTarget parsed = parseTarget(name);
    return parsed.isKnown ? std::string("known") : std::string(parsed.unknown);
  };
  EXPECT_EQ(unknown("x86-64-v3"), "known");
  EXPECT_EQ(unknown("pdp-11+fma"), "pdp-11");
  EXPECT_EQ(unknown("x86-64-v3+quantum+fma"), "quantum");
  EXPECT_EQ(unknown("x86-64-v3+x86-64"), "x86-64");
  EXPECT_EQ(unknown("x86-64-v3+"), "");
  EXPECT_EQ(unknown("x86-64-v3++fma"), "");
  EXPECT_EQ(unknown(""), "");
}

TEST(HostCpu, NamesRoundTrip) {
  for (int i = 0; i < numCpuFeatures; ++i) {
    auto feature = static_cast<CpuFeature>(i);
    EXPECT_EQ(featureByName(featureName(feature)), feature);
  }
  EXPECT_EQ(featureByName("avx9000"), std::nullopt);
  EXPECT_EQ((CpuFeatures{CpuFeature::fma, CpuFeature::sse3}).str("+"), "+sse3,+fma");
}

#if defined(__x86_64__)
// The compiler's own detection is a second opinion (it also asks the operating system).
TEST(HostCpu, AgreesWithTheCompilersRuntime) {
  __builtin_cpu_init();
  CpuFeatures host = hostCpuFeatures();
  EXPECT_EQ(host.has(CpuFeature::sse42), bool(__builtin_cpu_supports("sse4.2")));
  EXPECT_EQ(host.has(CpuFeature::popcnt), bool(__builtin_cpu_supports("popcnt")));
  EXPECT_EQ(host.has(CpuFeature::avx), bool(__builtin_cpu_supports("avx")));
  EXPECT_EQ(host.has(CpuFeature::avx2), bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(host.has(CpuFeature::fma), bool(__builtin_cpu_supports("fma")));
  EXPECT_EQ(host.has(CpuFeature::bmi2), bool(__builtin_cpu_supports("bmi2")));
  EXPECT_EQ(host.has(CpuFeature::avx512f), bool(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(host.has(CpuFeature::avx512vl), bool(__builtin_cpu_supports("avx512vl")));
  EXPECT_EQ(host.has(CpuFeature::avx512vnni), bool(__builtin_cpu_supports("avx512vnni")));
}
#endif

TEST(HostCpu, CodeForAmxIsRefusedWithoutIt) {
  if (hostCpuFeatures().has(CpuFeature::amxTile))
    GTEST_SKIP() << "this CPU has AMX";
  try {
    requireTarget("x86-64-v4+avx512bf16+amx-tile+amx-bf16");
    FAIL() << "code for AMX was accepted";
  } catch (const kiln::DeviceError &error) {
    EXPECT_NE(std::string_view(error.what()).find("amx-tile"), std::string_view::npos)
        << error.what();
  }
}
