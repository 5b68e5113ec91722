#pragma once

#include "frontend/gguf/Format.h"
#include "kiln/GgufValue.h"

#include <cstddef>
#include <span>
#include <vector>

namespace kiln::io::gguf {

struct TensorEntry {
  std::string name;
  const TensorType *type = nullptr;
  std::vector<int64_t> sizes; // outermost dim first
  uint64_t offset = 0;        // in the file
  uint64_t sizeBytes = 0;
};

struct Header {
  uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<TensorEntry> tensors; // in the order of the file
};

/// Reads everything in front of the data of `file` and checks all of it: afterwards every entry
/// lies in the file, aligned, and overlaps no other. Allocates in proportion to the bytes in front
/// of the data, whatever these say. `path` is for messages.
/// Errors: IoError that names the tensor or metadata entry and the field.
Header readHeader(std::span<const std::byte> file, const std::string &path);

} // namespace kiln::io::gguf
