#include "runtime/MappedFile.h"

#include "kiln/Error.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kiln::runtime {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string &path) {
  auto fail = [&](int error) {
    throw IoError(fmt::format("cannot read {}: {}", path, std::strerror(error)));
  };
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->filePath = path;
  file->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file->descriptor < 0)
    fail(errno);
  struct stat status;
  if (fstat(file->descriptor, &status) != 0)
    fail(errno);
  if (!S_ISREG(status.st_mode))
    fail(S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  if (std::size_t size = static_cast<std::size_t>(status.st_size)) {
    void *data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->descriptor, 0);
    if (data == MAP_FAILED)
      fail(errno);
    file->contents = {static_cast<const std::byte *>(data), size};
  }
  return file;
}

MappedFile::~MappedFile() {
  if (!contents.empty())
    munmap(const_cast<std::byte *>(contents.data()), contents.size());
  if (descriptor >= 0)
    close(descriptor);
}

void MappedFile::dropPages(std::span<const std::byte> part) const {
  // Whole pages only: their edges belong to the neighbours.
  auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto begin = reinterpret_cast<std::uintptr_t>(part.data());
  auto end = (begin + part.size()) / page * page;
  begin = (begin + page - 1) / page * page;
  if (begin < end)
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

} // namespace kiln::runtime
