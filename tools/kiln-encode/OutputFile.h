//===- OutputFile.h - A file that is complete or not there --------------------===//
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace kiln::tools {

/// Output that appears under its name only when it is complete: it is written to a temporary file
/// beside it, which `commit` renames and the destructor, without a commit, removes. Standard output
/// ("-"), devices and pipes are written directly.
/// Errors: IoError, with the file's name and the reason, in every function.
class OutputFile {
public:
  explicit OutputFile(const std::filesystem::path &path);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  /// True if what was written can still be changed with `overwriteStart`.
  bool isSeekable() const { return !temporary.empty(); }
  /// Appends `bytes`; they may stay in a buffer of bounded size until `commit`.
  void write(std::string_view bytes);
  /// Writes what is in the buffer.
  void flush();
  /// Replaces the first bytes of what was written. Requires isSeekable().
  void overwriteStart(std::string_view bytes);
  /// Writes everything to the disk and gives the file its name.
  void commit();

private:
  void openTemporary();
  [[noreturn]] void fail(int reason) const;

  std::filesystem::path path;      // What the user calls it.
  std::filesystem::path target;    // The same, absolute, with symbolic links resolved.
  std::filesystem::path temporary; // Empty if written directly.
  int descriptor = -1;
  std::string buffer;
};

} // namespace kiln::tools
