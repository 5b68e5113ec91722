//===- OutputFile.cpp - A file that is complete or not there ------------------===//

#include "OutputFile.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "kiln/Error.h"

namespace kiln::tools {

namespace {
constexpr size_t kBufferBytes = 1 << 16; // Of the order of a pipe's; larger ones gain nothing.

/// Writes all of `bytes` at the descriptor's position. Returns 0 or the reason of the failure.
int writeAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR)
      return errno;
    if (written > 0)
      bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

/// True for what a rename may replace: a regular file, or nothing yet.
bool isReplaceable(const std::filesystem::path &path) {
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  return type == std::filesystem::file_type::regular ||
         type == std::filesystem::file_type::not_found;
}
} // namespace

OutputFile::OutputFile(const std::filesystem::path &path) : path(path) {
  if (path == "-") {
    descriptor = STDOUT_FILENO;
  } else if (isReplaceable(path)) {
    // A file that may not be written must not be replaced either.
    if (::access(path.c_str(), W_OK) != 0 && errno != ENOENT)
      fail(errno);
    openTemporary();
  } else {
    descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
      fail(errno);
  }
}

void OutputFile::openTemporary() {
  std::error_code unresolved;
  target = std::filesystem::weakly_canonical(std::filesystem::absolute(path), unresolved);
  if (unresolved)
    target = path;
  // A process of the same number may have been killed here.
  for (int attempt = 0; descriptor < 0; ++attempt) {
    const auto suffix = std::to_string(::getpid()) + "-" + std::to_string(attempt);
    const std::filesystem::path name = target.string() + ".partial-" + suffix;
    descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0)
      temporary = name;
    else if (errno != EEXIST || attempt == 100)
      fail(errno);
  }
}

OutputFile::~OutputFile() {
  if (descriptor >= 0 && descriptor != STDOUT_FILENO)
    ::close(descriptor);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

void OutputFile::write(std::string_view bytes) {
  buffer += bytes;
  if (buffer.size() >= kBufferBytes)
    flush();
}

void OutputFile::flush() {
  const int reason = writeAll(descriptor, buffer);
  buffer.clear();
  if (reason)
    fail(reason);
}

void OutputFile::overwriteStart(std::string_view bytes) {
  flush();
  if (::lseek(descriptor, 0, SEEK_SET) != 0)
    fail(errno);
  if (const int reason = writeAll(descriptor, bytes))
    fail(reason);
  if (::lseek(descriptor, 0, SEEK_END) < 0)
    fail(errno);
}

void OutputFile::commit() {
  flush();
  if (temporary.empty())
    return;
  if (::fsync(descriptor) != 0)
    fail(errno);
  const int closed = ::close(descriptor);
  descriptor = -1;
  if (closed != 0)
    fail(errno);
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    fail(errno);
  temporary.clear();
  // The new name is on the disk once its folder is. Not every file system can do this; the contents
  // are safe there all the same.
  const int folder = ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
}

void OutputFile::fail(int reason) const {
  throw IoError("cannot write " + (path == "-" ? "standard output" : path.string()) + ": " +
                std::strerror(reason));
}

} // namespace kiln::tools
