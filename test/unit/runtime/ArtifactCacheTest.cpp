#include "runtime/ArtifactCache.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/Executable.h"
#include "runtime/MappedFile.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

using namespace kiln;
using namespace kiln::runtime;
namespace fs = std::filesystem;

namespace {

/// A folder of its own for each test.
class ArtifactCacheTest : public testing::Test {
protected:
  ArtifactCacheTest() { fs::remove_all(folder); }
  ~ArtifactCacheTest() override { fs::remove_all(folder); }

  /// An artifact that runs: out[0] = in[0] (see ExecutableTest).
  Artifact compile() {
    ++compiles;
    const unsigned char code[] = {0x48, 0x8b, 0x06, 0x8b, 0x00, 0x48,
                                  0x8b, 0x4e, 0x08, 0x89, 0x01, 0xc3};
    Artifact artifact;
    artifact.target = "x86-64";
    TensorType scalar(DType::float32, Shape{}, CPU());
    artifact.inputs = {{false, "", scalar, {}}};
    artifact.outputs = {{scalar, {}}};
    for (unsigned char byte : code)
      artifact.code.push_back(std::byte{byte});
    return artifact;
  }

  CachedExecutable get(ArtifactCache &cache, const std::string &key) {
    return cache.getOrCompile(key, [&] { return compile(); });
  }

  static float run(const Executable &executable, float x) {
    TensorValue value{TensorType(DType::float32, Shape{}, CPU()),
                      Buffer::copyOf(std::as_bytes(std::span(&x, 1)))};
    const TensorValue *inputs[] = {&value};
    return *executable.run(inputs)[0].buffer->as<float>();
  }

  // ctest runs each test as a process, several at once.
  std::string folder = testing::TempDir() + "kiln-cache-test-" + std::to_string(::getpid());
  std::atomic<int> compiles = 0;
};

const std::string key = hashKey(std::vector<std::string_view>{"a graph"});

} // namespace

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
  request.disabledPasses = {"b", "a"};
  std::string switched = artifactKey("graph", request);
  EXPECT_NE(switched, plain);
  request.disabledPasses = {"a", "b"};
  EXPECT_EQ(artifactKey("graph", request), switched);
  request.target = "baseline";
  EXPECT_NE(artifactKey("graph", request), switched);
  request.target = "native";
  request.ranks = 2;
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

TEST_F(ArtifactCacheTest, FilesThatAreNotUsableAreReplaced) {
  ArtifactCache writer(folder);
  get(writer, key);
  std::string path = DiskCache(folder).path(key);
  auto size = fs::file_size(path);

  auto missAfter = [&](auto &&damage) {
    damage();
    ArtifactCache cache(folder);
    CachedExecutable found = get(cache, key);
    EXPECT_EQ(found.hit, CacheHit::none);
    EXPECT_EQ(run(*found.executable, 4), 4);
    ArtifactCache next(folder);
    EXPECT_EQ(get(next, key).hit, CacheHit::disk) << "replaced";
    return found.missReason;
  };
  EXPECT_THAT(missAfter([&] { fs::resize_file(path, size - 1); }), testing::HasSubstr("fileBytes"));
  EXPECT_THAT(missAfter([&] { fs::resize_file(path, 0); }), testing::HasSubstr("header"));
  EXPECT_THAT(missAfter([&] { std::ofstream(path) << std::string(5000, 'x'); }),
              testing::HasSubstr("magic"));
  EXPECT_THAT(missAfter([&] { chmod(path.c_str(), 0666); }),
              testing::HasSubstr("may be written by other users"));
  EXPECT_THAT(missAfter([&] {
                get(writer, "b");
                fs::copy_file(DiskCache(folder).path("b"), path,
                              fs::copy_options::overwrite_existing);
              }),
              testing::HasSubstr("has another key"));
  EXPECT_THAT(missAfter([&] {
                std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
                file.seekp(8);
                file.put(9);
              }),
              testing::HasSubstr("formatVersion: 9, this program reads 2"));
  for (const auto &entry : fs::directory_iterator(folder))
    EXPECT_EQ(entry.path().extension(), ".kiln") << "nothing else is left behind";
}

TEST_F(ArtifactCacheTest, TheFolderIsBounded) {
  ArtifactCache cache(folder);
  for (const char *name : {"a", "b", "c"})
    get(cache, name);
  DiskCache disk(folder);
  auto age = [&](const std::string &path, int hours) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  age(disk.path("a"), 3), age(disk.path("b"), 2), age(disk.path("c"), 4);
  for (const char *name : {"/.left.1.0", "/.new.1.0", "/somebody's"})
    std::ofstream(folder + name) << "x";
  age(folder + "/.left.1.0", 2), age(folder + "/somebody's", 1000);
  ArtifactCache next(folder);
  EXPECT_EQ(get(next, "c").hit, CacheHit::disk) << "used just now";
  disk.prune(2 * fs::file_size(disk.path("a")));
  EXPECT_FALSE(fs::exists(disk.path("a"))) << "the oldest";
  EXPECT_TRUE(fs::exists(disk.path("b")));
  EXPECT_TRUE(fs::exists(disk.path("c")));
  EXPECT_FALSE(fs::exists(folder + "/.left.1.0"));
  EXPECT_TRUE(fs::exists(folder + "/.new.1.0")) << "somebody may be writing it";
  EXPECT_TRUE(fs::exists(folder + "/somebody's"));
}

TEST_F(ArtifactCacheTest, AFolderThatCannotBeWrittenIsDoneWithout) {
  std::ofstream(folder) << "a file where the folder should be";
  ArtifactCache cache(folder);
  testing::internal::CaptureStderr();
  EXPECT_EQ(run(*get(cache, key).executable, 5), 5);
  get(cache, "b");
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::StartsWith("kiln: cannot write to the cache folder " + folder));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "said once";
}

TEST_F(ArtifactCacheTest, TheFolderComesFromTheEnvironment) {
  auto set = [](const char *name, const char *value) {
    value ? setenv(name, value, 1) : unsetenv(name);
  };
  const char *names[] = {"KILN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
  std::vector<std::optional<std::string>> old;
  for (const char *name : names)
    old.push_back(std::getenv(name) ? std::optional<std::string>(std::getenv(name)) : std::nullopt);
  set("KILN_CACHE_DIR", "/k"), set("XDG_CACHE_HOME", "/x"), set("HOME", "/h");
  EXPECT_EQ(DiskCache::defaultFolder(), "/k");
  set("KILN_CACHE_DIR", "");
  EXPECT_EQ(DiskCache::defaultFolder(), "");
  set("KILN_CACHE_DIR", "off");
  EXPECT_EQ(DiskCache::defaultFolder(), "");
  set("KILN_CACHE_DIR", nullptr);
  EXPECT_EQ(DiskCache::defaultFolder(), "/x/kiln");
  set("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(DiskCache::defaultFolder(), "/h/.cache/kiln");
  set("HOME", nullptr);
  EXPECT_EQ(DiskCache::defaultFolder(), "");
  for (std::size_t i = 0; i < 3; ++i)
    set(names[i], old[i] ? old[i]->c_str() : nullptr);
}

TEST(RuntimeStats, ReportMemoryByDevice) {
  int64_t before = runtimeStats().heldBytes(CPU(9));
  auto buffer = Buffer::allocate(1000, CPU(9));
  EXPECT_EQ(runtimeStats().heldBytes(CPU(9)), before + 1000);
  EXPECT_GE(runtimeStats().peakBytes(CPU(9)), before + 1000);
  EXPECT_EQ(runtimeStats().heldBytes(CPU(10)), 0);
  EXPECT_EQ(name(CacheHit::disk), "disk");
}
