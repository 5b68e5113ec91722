#include "runtime/DiskCache.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/Executable.h"
#include "runtime/MappedFile.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kiln::runtime {

std::string DiskCache::defaultFolder() {
  if (const char *folder = std::getenv("KILN_CACHE_DIR"))
    return std::strcmp(folder, "off") == 0 ? "" : folder;
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::string(cache) + "/kiln";
  if (const char *home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/kiln";
  return "";
}

std::shared_ptr<const Executable> DiskCache::load(const std::string &key,
                                                  std::string &missReason) const {
  if (!isOn()) {
    missReason = "the disk cache is off";
    return nullptr;
  }
  std::string file = path(key);
  struct stat status;
  if (stat(file.c_str(), &status) != 0) {
    missReason = errno == ENOENT ? fmt::format("there is no {}", file)
                                 : fmt::format("{}: {}", file, std::strerror(errno));
    return nullptr;
  }
  // Its code will run in this process.
  if ((status.st_uid != geteuid() && status.st_uid != 0) ||
      (status.st_mode & (S_IWGRP | S_IWOTH))) {
    missReason = fmt::format("{} may be written by other users", file);
    return nullptr;
  }
  try {
    std::shared_ptr<const Executable> executable = loadArtifactFile(*MappedFile::open(file));
    if (executable->artifact().key == key) {
      utimensat(AT_FDCWD, file.c_str(), nullptr, 0); // used now: see prune
      return executable;
    }
    missReason = fmt::format("{} has another key", file);
  } catch (const Error &error) {
    missReason = fmt::format("{} is not usable: {}", file, error.what());
  }
  return nullptr;
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

void DiskCache::store(const Artifact &artifact) {
  if (!isOn())
    return;
  std::error_code made;
  std::filesystem::create_directories(directory, made);
  int error = made.value();
  if (!error) {
    static std::atomic<unsigned> counter = 0;
    std::string temporary =
        fmt::format("{}/.{}.{}.{}", directory, artifact.key, getpid(), counter++);
    error = writeFile(temporary, serialize(artifact));
    if (!error && rename(temporary.c_str(), path(artifact.key).c_str()) != 0)
      error = errno;
    if (error && error != EEXIST)
      unlink(temporary.c_str());
  }
  if (!error && artifact.key.ends_with('0'))
    prune(maxBytes);
  if (error)
    std::call_once(warned, [&] {
      fmt::print(stderr, "kiln: cannot write to the cache folder {}: {}; going on without it\n",
                 directory, std::strerror(error));
    });
}

void DiskCache::prune(std::uintmax_t limitBytes) const {
  namespace fs = std::filesystem;
  struct File {
    fs::file_time_type used;
    std::uintmax_t sizeBytes;
    fs::path path;
  };
  std::vector<File> files;
  std::uintmax_t total = 0;
  std::error_code error; // a file that another process removes meanwhile is no error
  auto longAgo = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    File file{it->last_write_time(gone), it->file_size(gone), it->path()};
    std::string name = file.path.filename().string();
    if (gone || (!name.starts_with('.') && file.path.extension() != ".kiln"))
      continue; // none of ours
    if (!name.starts_with('.')) {
      total += file.sizeBytes;
      files.push_back(std::move(file));
    } else if (file.used < longAgo) {
      fs::remove(file.path, gone);
    }
  }
  std::sort(files.begin(), files.end(),
            [](const File &a, const File &b) { return a.used < b.used; });
  for (const File &file : files) {
    if (total <= limitBytes)
      return;
    fs::remove(file.path, error);
    total -= file.sizeBytes;
  }
}

} // namespace kiln::runtime
