#include "test/unit/runtime/ArtifactCacheFixture.h"

#include "kiln/Error.h"

#include <thread>

using namespace kiln;
using namespace kiln::runtime;

TEST(ArtifactKey, TellsPartsApart) {
  auto hash = [](std::vector<std::string_view> parts) { return hashKey(parts); };
  EXPECT_EQ(hash({"ab", "c"}).size(), 32u);
  EXPECT_EQ(hash({"ab", "c"}), hash({"ab", "c"}));
  EXPECT_NE(hash({"ab", "c"}), hash({"a", "bc"}));
  EXPECT_NE(hash({"ab"}), hash({"ab", ""}));

  CompileRequest request;
  std::string plain = artifactKey("graph", request);
  EXPECT_NE(artifactKey("graph 2", request), plain);
  request.dumpDir = "/tmp";
  request.captureStages = {"outline"};
  EXPECT_EQ(artifactKey("graph", request), plain) << "these change no code";
  request.int8Activations = true;
  EXPECT_NE(artifactKey("graph", request), plain);
  request.int8Activations = false;
  request.disabledPasses = {"b", "a"};
  std::string switched = artifactKey("graph", request);
  EXPECT_NE(switched, plain);
  request.disabledPasses = {"a", "b"};
  EXPECT_EQ(artifactKey("graph", request), switched);
  request.target = "baseline";
  EXPECT_NE(artifactKey("graph", request), switched);
}

TEST_F(ArtifactCacheTest, CompilesOnceThenMemoryThenDisk) {
  ArtifactCache cache(folder);
  CachedExecutable first = get(cache, key);
  EXPECT_EQ(first.hit, CacheHit::none);
  EXPECT_THAT(first.missReason, testing::StartsWith("there is no "));
  EXPECT_EQ(first.executable->artifact().key, key);
  CachedExecutable second = get(cache, key);
  EXPECT_EQ(second.hit, CacheHit::memory);
  EXPECT_EQ(second.missReason, "");
  EXPECT_EQ(second.executable, first.executable);
  cache.clearMemory();
  CachedExecutable third = get(cache, key);
  EXPECT_EQ(third.hit, CacheHit::disk);
  EXPECT_NE(third.executable, first.executable);
  EXPECT_EQ(run(*first.executable, 2.5f), 2.5f) << "what is in use lives on";
  EXPECT_EQ(run(*third.executable, 2.5f), 2.5f) << "mapped from the file";
  ArtifactCache another(folder);
  EXPECT_EQ(get(another, key).hit, CacheHit::disk);
  EXPECT_EQ(compiles, 1);
  EXPECT_EQ(cache.counts().compiles, 1);
  EXPECT_EQ(cache.counts().memoryHits, 1);
  EXPECT_EQ(cache.counts().diskHits, 1);
}

TEST_F(ArtifactCacheTest, ConcurrentRequestsCompileOnce) {
  ArtifactCache cache("");
  std::atomic<int> misses = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      CachedExecutable found = cache.getOrCompile(key, [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return compile();
      });
      misses += found.hit == CacheHit::none;
      EXPECT_EQ(run(*found.executable, 3), 3);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(compiles, 1);
  EXPECT_EQ(misses, 1);
  EXPECT_EQ(cache.counts().memoryHits, 7);
}

TEST_F(ArtifactCacheTest, FailuresReachAllWhoWaitAndAreNotKept) {
  ArtifactCache cache(folder);
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      try {
        cache.getOrCompile(key, []() -> Artifact {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          throw CompileError("no such kernel");
        });
      } catch (const CompileError &error) {
        failures += std::string(error.what()) == "no such kernel";
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(failures, 4);
  EXPECT_EQ(get(cache, key).hit, CacheHit::none);
}

TEST_F(ArtifactCacheTest, TheLeastRecentlyUsedGoFirst) {
  ArtifactCache cache("", 2);
  get(cache, "a"), get(cache, "b");
  EXPECT_EQ(get(cache, "a").hit, CacheHit::memory);
  get(cache, "c"); // drops b
  EXPECT_EQ(get(cache, "a").hit, CacheHit::memory);
  EXPECT_EQ(get(cache, "b").hit, CacheHit::none);
  EXPECT_EQ(get(cache, "b").missReason, "");
  EXPECT_EQ(get(cache, "d").missReason, "the disk cache is off");
}

TEST_F(ArtifactCacheTest, AMissNamesTheNearestEntry) {
  KeyParts known{"kiln 1", "avx2", "ranks 1", "%0 = argument f32 [batch, 2]\nreturn %0\n"};
  auto missOf = [&](const KeyParts &parts) {
    ArtifactCache cache(folder);
    std::string_view texts[] = {parts.compiler, parts.target, parts.options, parts.graph};
    return cache.getOrCompile(
                    hashKey(texts), [&] { return compile(); }, [&] { return parts; })
        .missReason;
  };
  EXPECT_THAT(missOf(known), testing::Not(testing::HasSubstr("nearest")));
  KeyParts other = known;
  other.target = "avx512";
  EXPECT_THAT(missOf(other),
              testing::HasSubstr("differs in target: \"avx2\" there, \"avx512\" here"));
  other = known;
  other.graph = "%0 = argument f32 [batch, 3]\nreturn %0\n";
  EXPECT_THAT(missOf(other),
              testing::HasSubstr("differs in graph line 1: \"%0 = argument f32 [batch, "
                                 "2]\" there, \"%0 = argument f32 [batch, 3]\" here"));
  other = known;
  other.options += "\nwithout kiln-fuse-linear";
  EXPECT_THAT(
      missOf(other),
      testing::HasSubstr("options: \"ranks 1\" there, \"ranks 1,without kiln-fuse-linear\""));
  other = {"kiln 1", "avx2", "ranks 1", "a program of quite other words"};
  EXPECT_THAT(missOf(other), testing::Not(testing::HasSubstr("nearest")));
  for (const DiskCache::Entry &entry : DiskCache(folder).entries())
    EXPECT_THAT(DiskCache(folder).read(entry).madeBecause, testing::StartsWith("there is no "));
}

TEST(RuntimeStats, ReportMemoryByDevice) {
  int64_t before = runtimeStats().heldBytes(CPU(9));
  auto buffer = Buffer::allocate(1000, CPU(9));
  EXPECT_EQ(runtimeStats().heldBytes(CPU(9)), before + 1000);
  EXPECT_GE(runtimeStats().peakBytes(CPU(9)), before + 1000);
  EXPECT_EQ(runtimeStats().heldBytes(CPU(10)), 0);
  EXPECT_EQ(name(CacheHit::disk), "disk");
}
