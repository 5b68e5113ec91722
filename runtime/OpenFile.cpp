#include "runtime/OpenFile.h"

#include "kiln/Error.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace kiln::runtime {

std::string whyUnsafe(const struct stat &status) {
  if (status.st_uid != geteuid() && status.st_uid != 0)
    return "belongs to another user";
  if (status.st_mode & (S_IWGRP | S_IWOTH))
    return "may be written by other users";
  return "";
}

OpenFile::OpenFile(const std::string &path)
    : path(path), descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor < 0 || fstat(descriptor, &status) != 0)
    error = errno;
  else if (!S_ISREG(status.st_mode))
    error = EINVAL;
}

OpenFile::~OpenFile() {
  if (descriptor >= 0)
    close(descriptor);
}

std::vector<std::byte> OpenFile::read() {
  std::vector<std::byte> bytes(error ? 0 : static_cast<std::size_t>(status.st_size));
  for (std::size_t at = 0; at < bytes.size() && !error;) {
    ssize_t count = ::read(descriptor, bytes.data() + at, bytes.size() - at);
    if (count == 0) // it has become shorter: the checksum tells
      bytes.resize(at);
    else if (count > 0)
      at += static_cast<std::size_t>(count);
    else if (errno != EINTR)
      error = errno;
  }
  if (error)
    throw IoError(fmt::format("cannot read {}: {}", path, std::strerror(error)));
  return bytes;
}

std::string OpenFile::whyUntrusted() const {
  if (std::string reason = whyUnsafe(status); !reason.empty())
    return fmt::format("{} {}", path, reason);
  std::string folder = std::filesystem::path(path).parent_path().string();
  struct stat around;
  if (stat(folder.empty() ? "." : folder.c_str(), &around) != 0)
    return fmt::format("{}: {}", folder, std::strerror(errno));
  if (std::string reason = whyUnsafe(around); !reason.empty())
    return fmt::format("{} {}", folder, reason);
  return "";
}

} // namespace kiln::runtime
