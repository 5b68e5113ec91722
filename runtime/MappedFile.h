#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace kiln::runtime {

/// A whole file, mapped for reading. Its bytes stay valid when the file is replaced or removed.
/// When it is truncated in place, touching what was cut off ends the process (SIGBUS), as with
/// every mapping: so no file is mapped that programs of Kiln's write in place, and artifacts, which
/// are small, are read instead.
class MappedFile {
public:
  /// Errors: IoError naming the path and the reason.
  static std::shared_ptr<const MappedFile> open(const std::string &path);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return contents; }
  const std::string &path() const { return filePath; }

  /// Tells the system that the pages inside this part of `bytes()` are not needed for now: they
  /// leave this process's resident memory and are read again when touched.
  void dropPages(std::span<const std::byte> part) const;

private:
  MappedFile() = default;
  std::string filePath;
  std::span<const std::byte> contents;
  int descriptor = -1;
};

} // namespace kiln::runtime
