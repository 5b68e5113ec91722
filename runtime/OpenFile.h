#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace kiln::runtime {

/// Why what lies there may not be believed or written to; empty if nothing speaks against it.
std::string whyUnsafe(const struct stat &status);

/// A file that is open for reading.
class OpenFile {
public:
  explicit OpenFile(const std::string &path);
  ~OpenFile();
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;

  /// All of it, in memory of our own: a mapping would end the process when somebody truncates the
  /// file. Errors: IoError.
  std::vector<std::byte> read();
  /// Why code that lies in the file may not be run: it or its folder belongs to another user, or
  /// others may write there. Empty if nothing speaks against it.
  std::string whyUntrusted() const;

  std::string path;
  int descriptor;
  int error = 0; // errno, or 0
  struct stat status = {};
};

} // namespace kiln::runtime
