#include "codegen/Target.h"

#include <gtest/gtest.h>

using namespace kiln;
using codegen::Target;

TEST(Target, LevelsAndAliases) {
  const char *names[][2] = {{"x86-64", "baseline"}, {"x86-64-v3", "avx2"}, {"x86-64-v4", "avx512"}};
  const int bits[] = {128, 256, 512}, registers[] = {16, 16, 32};
  for (int i = 0; i < 3; ++i) {
    Target target = llvm::cantFail(Target::byName(names[i][0]));
    EXPECT_EQ(target.name, names[i][0]);
    EXPECT_EQ(llvm::cantFail(Target::byName(names[i][1])).name, names[i][0]);
    EXPECT_EQ(target.vectorBits, bits[i]);
    EXPECT_EQ(target.f32Lanes(), bits[i] / 32);
    EXPECT_EQ(target.vectorRegisters, registers[i]);
    EXPECT_EQ(target.fma, i > 0);
    EXPECT_EQ(target.avx2, i > 0);
    EXPECT_EQ(target.avx512, i > 1);
    passes::CpuTarget kernels = target.forPasses();
    EXPECT_EQ(kernels.lanes(), bits[i] / 32);
    EXPECT_EQ(kernels.vectorRegisters, registers[i]);
    EXPECT_EQ(kernels.fma, i > 0);
    EXPECT_EQ(kernels.f16c, i > 0);
  }
}

TEST(Target, ExtraFeatures) {
  Target target = llvm::cantFail(Target::byName("avx512+amx-bf16+amx-tile"));
  EXPECT_EQ(target.name, "x86-64-v4+amx-tile+amx-bf16");
  EXPECT_TRUE(target.has(runtime::CpuFeature::amxBf16));
  EXPECT_NE(target.features.find("+amx-bf16"), std::string::npos);
  EXPECT_EQ(llvm::cantFail(Target::byName(target.name)).name, target.name);
}

TEST(Target, AmxIsTheHighestLevelWithTiles) {
  Target target = llvm::cantFail(Target::byName("amx"));
  EXPECT_EQ(target.name, "x86-64-v4+avx512vnni+avx512bf16+amx-tile+amx-bf16");
  passes::CpuTarget kernels = target.forPasses();
  EXPECT_TRUE(kernels.tiles);
  EXPECT_FALSE(kernels.tilesEmulated);
  EXPECT_TRUE(
      llvm::cantFail(Target::byName("amx+avx512fp16")).has(runtime::CpuFeature::avx512fp16));
}

TEST(Target, UnknownNamesListTheChoices) {
  auto target = Target::byName("pentium");
  ASSERT_FALSE(bool(target));
  EXPECT_EQ(
      llvm::toString(target.takeError()),
      "unknown target 'pentium': choose one of native, x86-64, x86-64-v3, x86-64-v4, baseline, "
      "avx2, avx512, amx");
  auto feature = Target::byName("avx2+quantum");
  ASSERT_FALSE(bool(feature));
  EXPECT_EQ(llvm::toString(feature.takeError()),
            "unknown feature 'quantum' in target 'avx2+quantum'");
}

TEST(Target, ChecksWhatACpuLacks) {
  Target v3 = llvm::cantFail(Target::byName("avx2")), v4 = llvm::cantFail(Target::byName("avx512"));
  EXPECT_FALSE(bool(v3.checkRunsOn(v4.required)));
  EXPECT_EQ(llvm::toString(v4.checkRunsOn(v3.required)),
            "code for target x86-64-v4 cannot run on this CPU: it lacks "
            "avx512f,avx512bw,avx512cd,avx512dq,avx512vl");
}

TEST(Target, HostRunsItsOwnCode) {
  auto host = Target::byName("native");
  if (!host) {
    llvm::consumeError(host.takeError());
    GTEST_SKIP() << "this CPU is below the baseline";
  }
  EXPECT_FALSE(bool(host->checkRunsOn()));
  EXPECT_EQ(llvm::cantFail(Target::byName(host->name)).required, host->required);
  std::vector<Target> all = Target::allOnHost();
  ASSERT_FALSE(all.empty());
  EXPECT_TRUE(host->required.contains(all.back().required));
  EXPECT_EQ(host->vectorBits, all.back().vectorBits);
}
