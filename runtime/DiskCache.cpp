#include "runtime/DiskCache.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/ArtifactKey.h"
#include "runtime/ByteSize.h"
#include "runtime/Executable.h"
#include "runtime/TrustedArtifact.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kiln::runtime {

/// To standard error, as far as it takes it: the disk that is full may be the one behind it.
static void say(const std::string &text) { std::fputs(text.c_str(), stderr); }

std::string DiskCache::defaultFolder() {
  if (const char *folder = std::getenv("KILN_CACHE_DIR"))
    return std::strcmp(folder, "off") == 0 ? "" : folder;
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::string(cache) + "/kiln";
  if (const char *home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/kiln";
  static std::once_flag said;
  std::call_once(said, [] {
    say("kiln: none of $KILN_CACHE_DIR, $XDG_CACHE_HOME and $HOME is set; going on without a cache "
        "folder\n");
  });
  return "";
}

std::uintmax_t DiskCache::defaultLimit() {
  return byteSizeFromEnvironment("KILN_CACHE_LIMIT", std::uintmax_t{1} << 30);
}

std::shared_ptr<const Executable> DiskCache::load(const std::string &key,
                                                  std::string &missReason) const {
  if (!isOn()) {
    missReason = "the disk cache is off";
    return nullptr;
  }
  OpenFile file(path(key));
  std::shared_ptr<const Executable> executable = loadTrusted(file, missReason);
  if (executable && executable->artifact().key != key) {
    missReason = fmt::format("{} has another key", file.path);
    return nullptr;
  }
  if (executable)
    futimens(file.descriptor, nullptr); // used now: see prune
  return executable;
}

/// Writes a new file. Returns 0 or errno.
static int writeFile(const std::string &path, std::span<const std::byte> bytes) {
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0)
    return errno;
  int error = fchmod(file, 0644) == 0 ? 0 : errno; // whatever the umask allows to others
  while (!bytes.empty() && !error) {
    ssize_t written = write(file, bytes.data(), bytes.size());
    if (written >= 0)
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      error = errno;
  }
  if (close(file) != 0 && !error)
    error = errno;
  return error;
}

void DiskCache::warnOnce(const std::string &reason) {
  std::call_once(warned, [&] {
    say(fmt::format("kiln: cannot use the cache folder {}: {}; going on without it\n", directory,
                    reason));
  });
}

bool DiskCache::prepare() {
  if (!isOn())
    return false;
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::path parent = fs::path(directory).parent_path(); !parent.empty())
    fs::create_directories(parent, error);
  // Whatever the umask says: nobody else writes here.
  if (!error && mkdir(directory.c_str(), 0755) == 0)
    chmod(directory.c_str(), 0755);
  else if (!error && errno != EEXIST)
    error.assign(errno, std::generic_category());
  struct stat status = {};
  if (!error && stat(directory.c_str(), &status) != 0)
    error.assign(errno, std::generic_category());
  if (!error && !S_ISDIR(status.st_mode))
    error = std::make_error_code(std::errc::not_a_directory);
  std::string reason = error ? error.message() : whyUnsafe(status);
  if (!reason.empty())
    warnOnce(reason);
  return reason.empty();
}

void DiskCache::store(const Artifact &artifact) {
  if (!prepare())
    return;
  static std::atomic<unsigned> counter = 0;
  std::string temporary = fmt::format("{}/.{}.{}.{}", directory, artifact.key, getpid(), counter++);
  int error = writeFile(temporary, serialize(artifact));
  if (!error && rename(temporary.c_str(), path(artifact.key).c_str()) != 0)
    error = errno;
  if (error && error != EEXIST)
    unlink(temporary.c_str());
  if (error)
    warnOnce(std::strerror(error));
  else if (artifact.key.ends_with('0'))
    prune(defaultLimit());
}

std::vector<DiskCache::Entry> DiskCache::entries() const {
  namespace fs = std::filesystem;
  std::vector<Entry> found;
  std::error_code error; // a file that another process removes meanwhile is no error
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const fs::path &file = it->path();
    Entry entry{file.stem(), file, it->file_size(gone), {}};
    entry.used = it->last_write_time(gone);
    if (!gone && file.extension() == ".kiln" && !entry.key.starts_with('.'))
      found.push_back(std::move(entry));
  }
  std::sort(found.begin(), found.end(),
            [](const Entry &a, const Entry &b) { return a.used > b.used; });
  return found;
}

Artifact DiskCache::read(const Entry &entry) const {
  Artifact artifact = parseArtifact(OpenFile(entry.path).read());
  if (artifact.key != entry.key)
    throw IoError(fmt::format("artifact: key: is {}", artifact.key));
  return artifact;
}

std::string DiskCache::nearest(const KeyParts &parts) const {
  constexpr std::size_t mostEntries = 256; // some 50 us each
  constexpr double alike = 0.5;
  double best = alike;
  std::string bestKey;
  KeyParts bestParts;
  std::vector<Entry> known = entries();
  known.resize(std::min(known.size(), mostEntries));
  for (const Entry &entry : known) {
    try {
      Artifact artifact = parseArtifactInPlace(OpenFile(entry.path).read()).artifact;
      if (double found = similarity(artifact.parts, parts); found > best) {
        best = found;
        bestKey = artifact.key;
        bestParts = std::move(artifact.parts);
      }
    } catch (const Error &) { // no help
    }
  }
  if (bestKey.empty())
    return "";
  return fmt::format("; nearest: {} differs in {}", bestKey,
                     describeDifference(bestParts, "there", parts, "here"));
}

/// Removes what writers left that died more than an hour ago.
static void removeLeftovers(const std::string &directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  auto longAgo = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    std::string name = it->path().filename().string();
    if (name.starts_with('.') && name != ".lock" && it->last_write_time(gone) < longAgo && !gone)
      fs::remove(it->path(), gone);
  }
}

std::size_t DiskCache::prune(std::uintmax_t limitBytes) const {
  removeLeftovers(directory);
  std::vector<Entry> known = entries();
  std::uintmax_t total = 0;
  std::size_t removed = 0;
  for (const Entry &entry : known) {
    total += entry.sizeBytes;
    std::error_code gone;
    if (total > limitBytes)
      removed += std::filesystem::remove(entry.path, gone);
  }
  return removed;
}

std::size_t DiskCache::clear() const {
  removeLeftovers(directory);
  std::size_t removed = 0;
  for (const Entry &entry : entries()) {
    std::error_code gone;
    removed += std::filesystem::remove(entry.path, gone);
  }
  return removed;
}

} // namespace kiln::runtime
