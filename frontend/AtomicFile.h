#pragma once

#include <cstddef>
#include <string>

namespace kiln::io {

/// A file that is there whole or not at all: it is written under a temporary name in the same
/// folder, which `commit` renames and the destructor, without a commit, removes.
/// Errors: IoError "[operation] path: reason" in every function.
class AtomicFile {
public:
  AtomicFile(std::string path, std::string operation);
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  void write(const void *bytes, std::size_t count);
  /// Waits until the contents are on the disk.
  void commit();

private:
  [[noreturn]] void fail();

  std::string finalPath, temporaryPath, operation;
  int descriptor = -1;
};

} // namespace kiln::io
