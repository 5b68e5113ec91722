//===- LineReader.h - Lines of several files ----------------------------------===//
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace kiln::tools {

/// Reads the lines of files, one file after the other; "-" is standard input.
class LineReader {
public:
  /// Errors: IoError, naming the file, if one is not there or not readable.
  explicit LineReader(std::vector<std::string> files);

  /// Reads the next line, without its end ("\n" or "\r\n"), as valid UTF-8: what is not is replaced
  /// by U+FFFD. Returns false behind the last line. Memory: the line.
  /// Errors: IoError, naming the file, if it cannot be read.
  bool next(std::string &line);

  /// How many invalid byte sequences were replaced, and in how many lines.
  size_t replacedSequences() const { return replaced; }
  size_t repairedLines() const { return repaired; }

private:
  bool readRaw(std::string &line);

  struct Close {
    void operator()(std::FILE *file) const {
      if (file != stdin)
        std::fclose(file);
    }
  };
  std::vector<std::string> files;
  size_t nextFile = 0;
  std::unique_ptr<std::FILE, Close> file; // files[nextFile - 1], or null.
  size_t replaced = 0, repaired = 0;
};

} // namespace kiln::tools
