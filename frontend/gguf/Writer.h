#pragma once

#include "frontend/AtomicFile.h"
#include "frontend/gguf/Reader.h"

#include <functional>

namespace kiln::io::gguf {

/// Writes one file: the header when it is made, then the bytes of the tensors in their order.
/// Errors: ValueError for what no reader would take; IoError.
class Writer {
public:
  /// Of the entries, names, types and sizes; the rest is filled in.
  Writer(const std::string &path, const GgufMetadata &metadata, std::vector<TensorEntry> entries);

  const std::vector<TensorEntry> &tensors() const { return entries; }
  /// The next bytes of the data; those of a tensor may come in parts, parts of two tensors not at
  /// once.
  void write(std::span<const std::byte> bytes);
  /// All bytes have been written.
  void commit() { file.commit(); }

private:
  void pad();

  std::vector<TensorEntry> entries;
  uint64_t alignment;
  AtomicFile file;
  uint64_t position = 0;     // in the file
  std::size_t current = 0;   // the tensor at hand
  uint64_t currentBytes = 0; // that it has already
};

} // namespace kiln::io::gguf
