#include "test/unit/runtime/ArtifactCacheFixture.h"

#include "runtime/ArtifactFile.h"
#include "runtime/MappedFile.h"
#include "runtime/ShippedArtifacts.h"

#include <fstream>

#include <sys/stat.h>

using namespace kiln;
using namespace kiln::runtime;
namespace fs = std::filesystem;

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
