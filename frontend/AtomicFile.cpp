#include "frontend/AtomicFile.h"

#include "kiln/Error.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace kiln::io {

AtomicFile::AtomicFile(std::string path, std::string operation)
    : finalPath(std::move(path)), operation(std::move(operation)) {
  static std::atomic<unsigned> counter{0};
  for (int attempt = 0; descriptor < 0; ++attempt) {
    temporaryPath = fmt::format("{}.tmp.{}.{}", finalPath, ::getpid(), counter++);
    descriptor = ::open(temporaryPath.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    // A process of the same number may have been killed here.
    if (descriptor < 0 && (errno != EEXIST || attempt == 100))
      fail();
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0) {
    ::close(descriptor);
    ::unlink(temporaryPath.c_str());
  }
}

void AtomicFile::write(const void *bytes, std::size_t count) {
  const char *from = static_cast<const char *>(bytes);
  while (count) {
    ssize_t written = ::write(descriptor, from, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      fail();
    from += written;
    count -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor) != 0 || ::rename(temporaryPath.c_str(), finalPath.c_str()) != 0)
    fail();
  ::close(descriptor);
  descriptor = -1;
}

void AtomicFile::fail() {
  int error = errno;
  if (descriptor >= 0) { // the destructor does not run for a constructor that throws
    ::close(descriptor);
    ::unlink(temporaryPath.c_str());
    descriptor = -1;
  }
  throw IoError(fmt::format("[{}] {}: {}", operation, finalPath, std::strerror(error)));
}

} // namespace kiln::io
