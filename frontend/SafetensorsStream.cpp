#include "frontend/SafetensorsStream.h"

#include "kiln/Error.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kiln::io {

namespace {

std::string_view formatName(DType dtype) {
  constexpr std::string_view names[] = {"BOOL", "I8",  "I16", "I32",  "I64", "U8", "U16",
                                        "U32",  "U64", "F16", "BF16", "F32", "F64"};
  return names[static_cast<std::size_t>(dtype)];
}

/// With the eight bytes of its size.
std::string headerOf(const std::string &path, const std::vector<SafetensorsStream::Entry> &entries,
                     const std::map<std::string, std::string> &metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty())
    header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const SafetensorsStream::Entry &entry : entries) {
    if (entry.name == "__metadata__")
      throw ValueError("[saveSafetensors] no tensor may be called __metadata__");
    uint64_t numBytes = sizeBytes(entry.dtype);
    for (int64_t size : entry.sizes)
      numBytes *= static_cast<uint64_t>(size);
    header[entry.name] = {{"dtype", formatName(entry.dtype)},
                          {"shape", entry.sizes},
                          {"data_offsets", {offset, offset + numBytes}}};
    offset += numBytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception &error) {
    throw ValueError(fmt::format("[saveSafetensors] {}: {}", path, error.what()));
  }
  text.resize((text.size() + 7) / 8 * 8, ' '); // the data begins aligned
  std::string size(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    size[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i));
  return size + text;
}

std::vector<SafetensorsStream::Entry> sorted(std::vector<SafetensorsStream::Entry> entries) {
  std::ranges::sort(entries, [](const auto &a, const auto &b) {
    std::size_t left = sizeBytes(a.dtype), right = sizeBytes(b.dtype);
    return left != right ? left > right : a.name < b.name;
  });
  return entries;
}

} // namespace

SafetensorsStream::SafetensorsStream(const std::string &path, std::vector<Entry> list,
                                     const std::map<std::string, std::string> &metadata)
    : entries(sorted(std::move(list))), file(path, "saveSafetensors") {
  std::string header = headerOf(path, entries, metadata);
  file.write(header.data(), header.size());
}

} // namespace kiln::io
