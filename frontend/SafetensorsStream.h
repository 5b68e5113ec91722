#pragma once

#include "frontend/AtomicFile.h"
#include "kiln/DType.h"

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace kiln::io {

/// A safetensors file that is written in parts: the header when it is made, then the bytes of the
/// tensors in their order.
/// Errors: ValueError for names and metadata that JSON cannot hold; IoError.
class SafetensorsStream {
public:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> sizes;
  };
  /// Sorts `entries`: wide elements first, so that all are aligned, then by name.
  SafetensorsStream(const std::string &path, std::vector<Entry> entries,
                    const std::map<std::string, std::string> &metadata);

  /// In the order in which their bytes must come.
  const std::vector<Entry> &tensors() const { return entries; }
  void write(std::span<const std::byte> bytes) { file.write(bytes.data(), bytes.size()); }
  /// All bytes have been written.
  void commit() { file.commit(); }

private:
  std::vector<Entry> entries;
  AtomicFile file;
};

} // namespace kiln::io
