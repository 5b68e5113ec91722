#include "test/unit/runtime/ArtifactCacheFixture.h"

#include <fstream>
#include <optional>

#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace kiln;
using namespace kiln::runtime;
namespace fs = std::filesystem;

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
