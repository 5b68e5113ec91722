//===- EmbeddingWriter.h - The formats of the results -------------------------===//
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "OutputFile.h"

namespace kiln::tools {

/// One line of the input and what became of it.
struct Encoded {
  std::string text; ///< Valid UTF-8.
  std::vector<int64_t> ids;
  std::vector<float> embedding;
};

/// Writes embeddings, in the order in which they are given.
class EmbeddingWriter {
public:
  virtual ~EmbeddingWriter() = default;
  virtual void write(const Encoded &line) = 0;
  /// Makes what was written so far visible to a reader of a pipe.
  virtual void flush() = 0;
  /// Completes the output; `width` is the number of columns, also where there are no rows. Without
  /// this call no file appears.
  virtual void finish(size_t width) = 0;
};

/// A writer to `path` in the format of its extension: `.npy` is a NumPy array [lines, width] of
/// float32, everything else one JSON object a line: {"text": …, "embedding": […]}, with "ids" in
/// between if `withIds`.
/// Errors: IoError if `path` cannot be written, ValueError if the format does not fit.
std::unique_ptr<EmbeddingWriter> makeWriter(const std::filesystem::path &path, bool withIds);

/// The first 128 bytes of a NumPy file (format 1.0) that holds float32 [rows, columns] in C order.
std::string npyHeader(size_t rows, size_t columns);

} // namespace kiln::tools
