#include "runtime/ArtifactCache.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/ArtifactKey.h"
#include "runtime/CacheLock.h"
#include "runtime/Executable.h"
#include "runtime/MappedFile.h"
#include "runtime/ShippedArtifacts.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
                file.put(1);
              }),
              testing::HasSubstr("formatVersion: 1, this program reads"));
  for (const auto &entry : fs::directory_iterator(folder))
    EXPECT_TRUE(entry.path().extension() == ".kiln" || entry.path().filename() == ".lock")
        << entry.path() << ": nothing else is left behind";
}

TEST_F(ArtifactCacheTest, WhatWasShippedIsFoundWithoutItsCompiler) {
  KeyParts parts{"kiln 1 abc", "x86-64", "ranks 1\nchip sm_90\nmachine code for sm_90",
                 "the graph"};
  fs::create_directory(folder);
  ShippedArtifacts shipped(folder);
  Artifact artifact = compile();
  artifact.key = "whatever";
  artifact.parts = parts;
  std::vector<std::byte> bytes = serialize(artifact);
  auto write = [&](const std::string &path) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  write(shipped.path(parts));
  compiles = 0;
  auto find = [&](const KeyParts &wanted) {
    ArtifactCache cache("", 4, folder);
    return cache.getOrCompile(key, [&] { return compile(); }, [&] { return wanted; });
  };
  // Another compiler, another CPU, another architecture of the chip's generation.
  CachedExecutable found =
      find({"kiln 2", "x86-64-v3", "ranks 1\nchip sm_90\nmachine code for sm_103", "the graph"});
  EXPECT_EQ(found.hit, CacheHit::disk);
  EXPECT_EQ(found.missReason, "");
  EXPECT_EQ(run(*found.executable, 5), 5);
  EXPECT_EQ(compiles, 0);
  // Other graphs and options are other programs.
  KeyParts other = parts;
  other.options = "ranks 1\nchip sm_80\nmachine code for sm_90";
  found = find(other);
  EXPECT_EQ(found.hit, CacheHit::none);
  EXPECT_THAT(found.missReason, testing::HasSubstr("there is no " + shipped.path(other)));
  other = parts;
  other.graph = "another graph";
  write(shipped.path(other));
  EXPECT_THAT(find(other).missReason, testing::HasSubstr("is of another graph"));
  EXPECT_EQ(compiles, 2);
  // What the cache does not believe is not believed here.
  chmod(shipped.path(parts).c_str(), 0666);
  EXPECT_THAT(find(parts).missReason, testing::HasSubstr("may be written by other users"));
  chmod(shipped.path(parts).c_str(), 0644);
  chmod(folder.c_str(), 0777);
  EXPECT_THAT(find(parts).missReason, testing::HasSubstr("may be written by other users"));
  chmod(folder.c_str(), 0755);
  bytes.pop_back();
  write(shipped.path(parts));
  EXPECT_THAT(find(parts).missReason, testing::HasSubstr("is not usable"));
  EXPECT_EQ(compiles, 5);
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
  EXPECT_THAT(text, testing::StartsWith("kiln: cannot use the cache folder " + folder));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "said once";
}

// For those who may do everything nothing is read-only: they become somebody else for the test.
TEST_F(ArtifactCacheTest, AReadOnlyFolderIsReadFrom) {
  {
    ArtifactCache writer(folder);
    get(writer, key);
  }
  fs::permissions(folder, fs::perms(0555));
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    if (geteuid() == 0 && setuid(nobody) != 0)
      _exit(2);
    ArtifactCache cache(folder);
    testing::internal::CaptureStderr();
    bool isFound = get(cache, key).hit == CacheHit::disk;
    bool runs = run(*get(cache, "b").executable, 5) == 5;
    get(cache, "c");
    std::string text = testing::internal::GetCapturedStderr();
    bool isSaid = text == "kiln: cannot use the cache folder " + folder +
                              ": Permission denied; going on without it\n";
    _exit(isFound && runs && isSaid ? 0 : 10 + isFound + 2 * runs + 4 * isSaid);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  fs::permissions(folder, fs::perms(0755));
  EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(DiskCache(folder).entries().size(), 1u);
}

TEST_F(ArtifactCacheTest, AFileThatIsCutOffAfterItWasLoadedDoesNoHarm) {
  ArtifactCache writer(folder);
  get(writer, key);
  ArtifactCache cache(folder);
  CachedExecutable found = get(cache, key);
  ASSERT_EQ(found.hit, CacheHit::disk);
  fs::resize_file(DiskCache(folder).path(key), 0);
  EXPECT_EQ(run(*found.executable, 7), 7);
  std::ofstream(DiskCache(folder).path(key)) << std::string(1 << 16, '\xcc'); // traps
  EXPECT_EQ(run(*found.executable, 8), 8);
}

TEST_F(ArtifactCacheTest, WhatIsNoFileIsAMiss) {
  fs::create_directories(DiskCache(folder).path(key));
  ArtifactCache cache(folder);
  testing::internal::CaptureStderr(); // cannot be replaced, either
  EXPECT_THAT(get(cache, key).missReason, testing::HasSubstr("Invalid argument"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("going on without it"));
  ASSERT_EQ(mkfifo((folder + "/fifo.kiln").c_str(), 0600), 0);
  EXPECT_EQ(get(cache, "fifo").hit, CacheHit::none) << "and nobody waits for a writer";
}

TEST_F(ArtifactCacheTest, AFolderThatOthersMayWriteIsRefused) {
  {
    ArtifactCache writer(folder);
    get(writer, key);
  }
  fs::permissions(folder, fs::perms::group_write, fs::perm_options::add);
  ArtifactCache cache(folder);
  testing::internal::CaptureStderr();
  CachedExecutable found = get(cache, key);
  EXPECT_EQ(found.hit, CacheHit::none);
  EXPECT_EQ(found.missReason, folder + " may be written by other users");
  get(cache, "b");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "kiln: cannot use the cache folder " + folder +
                ": may be written by other users; going on without it\n");
  EXPECT_FALSE(fs::exists(DiskCache(folder).path("b")));
  fs::permissions(folder, fs::perms::group_write, fs::perm_options::remove);
  ArtifactCache again(folder);
  EXPECT_EQ(get(again, key).hit, CacheHit::disk);
}

TEST_F(ArtifactCacheTest, AFolderMadeUnderALooseUmaskIsClosedToOthers) {
  mode_t old = umask(0);
  ArtifactCache cache(folder);
  get(cache, key);
  umask(old);
  ArtifactCache again(folder);
  EXPECT_EQ(get(again, key).hit, CacheHit::disk);
}

TEST_F(ArtifactCacheTest, AFullDiskIsDoneWithout) {
  // Files of more than 4,000 bytes cannot be written: an artifact has more, what is said less.
  fs::create_directories(folder);
  struct rlimit old = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  struct rlimit small = {4000, old.rlim_max};
  auto *before = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  ArtifactCache cache(folder);
  testing::internal::CaptureStderr();
  CachedExecutable found = get(cache, key);
  get(cache, "b");
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, before);
  std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(run(*found.executable, 5), 5);
  EXPECT_THAT(text, testing::HasSubstr("going on without it"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "said once";
  EXPECT_THAT(DiskCache(folder).entries(), testing::IsEmpty()) << "nothing half-written";
}

TEST_F(ArtifactCacheTest, FourProcessesOfEightThreadsCompileOnce) {
  fs::create_directories(folder);
  std::string counter = folder + ".compiles";
  fs::remove(counter);
  std::vector<pid_t> children;
  for (int process = 0; process < 4; ++process) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child > 0) {
      children.push_back(child);
      continue;
    }
    std::atomic<int> right = 0;
    {
      ArtifactCache cache(folder);
      std::vector<std::thread> threads;
      for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] {
          CachedExecutable found = cache.getOrCompile(key, [&] {
            std::ofstream(counter, std::ios::app) << "x";
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            return compile();
          });
          right += run(*found.executable, 3) == 3;
        });
      for (std::thread &thread : threads)
        thread.join();
    }
    _exit(right == 8 ? 0 : 1);
  }
  for (pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  EXPECT_EQ(fs::file_size(counter), 1u) << "compiled once";
  fs::remove(counter);
}

TEST_F(ArtifactCacheTest, AWriterThatIsKilledLeavesNothingHarmful) {
  fs::create_directories(folder);
  constexpr int writers = 40;
  for (int i = 0; i < writers; ++i) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      DiskCache disk(folder);
      Artifact artifact = compile();
      artifact.code.resize(1 << 20, std::byte{0x90}); // takes a while to write
      for (int j = 0;; ++j) {
        artifact.key = hashKey(std::vector<std::string_view>{std::to_string(j % 7)});
        CacheLock lock(folder, artifact.key);
        disk.store(artifact);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 731 * i));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
  }
  DiskCache disk(folder);
  EXPECT_THAT(disk.entries(), testing::Not(testing::IsEmpty()));
  for (const DiskCache::Entry &entry : disk.entries())
    EXPECT_NO_THROW(disk.read(entry)) << entry.path << ": all of it, or nothing";
  ArtifactCache cache(folder); // no lock is left, either
  EXPECT_EQ(get(cache, "another").hit, CacheHit::none);
  for (const auto &file : fs::directory_iterator(folder))
    if (file.path().filename() != ".lock")
      fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(2));
  disk.prune(UINTMAX_MAX);
  for (const auto &file : fs::directory_iterator(folder))
    EXPECT_TRUE(file.path().extension() == ".kiln" || file.path().filename() == ".lock")
        << file.path() << ": leftovers go with time";
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

TEST_F(ArtifactCacheTest, TheLimitComesFromTheEnvironment) {
  auto limit = [](const char *value) {
    setenv("KILN_CACHE_LIMIT", value, 1);
    auto result = DiskCache::defaultLimit();
    unsetenv("KILN_CACHE_LIMIT");
    return result;
  };
  EXPECT_EQ(limit("1000"), 1000u);
  EXPECT_EQ(limit("2k"), 2048u);
  EXPECT_EQ(limit("1.5M"), 1572864u);
  EXPECT_EQ(limit("3G"), std::uintmax_t{3} << 30);
  EXPECT_EQ(limit(""), std::uintmax_t{1} << 30);
  testing::internal::CaptureStderr();
  EXPECT_EQ(limit("much"), std::uintmax_t{1} << 30);
  EXPECT_EQ(limit("-1"), std::uintmax_t{1} << 30);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("\"much\""));
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
  testing::internal::CaptureStderr();
  EXPECT_EQ(DiskCache::defaultFolder(), "");
  EXPECT_EQ(DiskCache::defaultFolder(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "kiln: none of $KILN_CACHE_DIR, $XDG_CACHE_HOME and $HOME is set; going on without a "
            "cache folder\n")
      << "said once";
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
