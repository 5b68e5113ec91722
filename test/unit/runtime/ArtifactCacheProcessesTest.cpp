#include "test/unit/runtime/ArtifactCacheFixture.h"

#include "runtime/CacheLock.h"

#include <fstream>
#include <thread>

#include <csignal>
#include <sys/wait.h>

using namespace kiln;
using namespace kiln::runtime;
namespace fs = std::filesystem;

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
