#include "frontend/gguf/Writer.h"

#include <fmt/format.h>

namespace kiln::io::gguf {

namespace {

template <class T> constexpr bool isVector = false;
template <class T> constexpr bool isVector<std::vector<T>> = true;

[[noreturn]] void refuse(const std::string &what, const std::string &message) {
  throw ValueError(fmt::format("[saveGguf] {}: {}", what, message));
}

void put(std::string &to, const void *bytes, std::size_t count) {
  to.append(static_cast<const char *>(bytes), count);
}
template <class T> void put(std::string &to, T value) { put(to, &value, sizeof(value)); }
void putString(std::string &to, std::string_view text) {
  put(to, uint64_t{text.size()});
  to += text;
}

void putContents(std::string &to, const GgufValue &value, const std::string &key, int depth) {
  std::visit(
      [&]<class T>(const T &contents) {
        if constexpr (std::is_same_v<T, std::string>) {
          putString(to, contents);
        } else if constexpr (!isVector<T>) {
          put(to, contents);
        } else {
          if (depth >= maxArrayDepth)
            refuse("metadata " + quoted(key),
                   fmt::format("arrays more than {} deep", maxArrayDepth));
          put(to, value.elementType());
          put(to, uint64_t{contents.size()});
          if constexpr (std::is_same_v<T, std::vector<std::string>>)
            for (const std::string &text : contents)
              putString(to, text);
          else if constexpr (std::is_same_v<T, std::vector<GgufValue>>)
            for (const GgufValue &array : contents)
              putContents(to, array, key, depth + 1);
          else if constexpr (std::is_same_v<T, std::vector<bool>>)
            for (bool element : contents)
              put(to, element);
          else
            put(to, contents.data(), contents.size() * sizeof(typename T::value_type));
        }
      },
      value.contents());
}

uint64_t alignmentOf(const GgufMetadata &metadata) {
  auto found = metadata.find(std::string(alignmentKey));
  if (found == metadata.end())
    return defaultAlignment;
  std::string what = "metadata " + quoted(alignmentKey);
  if (found->second.type() != GgufValue::Type::uint32)
    refuse(what, fmt::format("its type is {}, not uint32", name(found->second.type())));
  auto value = found->second.as<uint32_t>();
  if (value == 0 || (value & (value - 1)) != 0)
    refuse(what, fmt::format("{} is no power of two", value));
  return value;
}

uint64_t alignedUp(uint64_t position, uint64_t alignment) {
  return (position + alignment - 1) / alignment * alignment;
}

/// In the entries, offsets are those in the data from here on.
std::string headerOf(const GgufMetadata &metadata, std::vector<TensorEntry> &entries,
                     uint64_t alignment) {
  std::string header(magic);
  put(header, newestVersion);
  put(header, uint64_t{entries.size()});
  put(header, uint64_t{metadata.size()});
  for (auto &[key, value] : metadata) {
    if (key.empty() || key.size() > UINT16_MAX) // docs/gguf.md
      refuse("metadata " + quoted(key), fmt::format("a key of {} bytes", key.size()));
    putString(header, key);
    put(header, value.type());
    putContents(header, value, key, 0);
  }
  uint64_t offset = 0;
  for (TensorEntry &entry : entries) {
    if (entry.sizes.size() > maxRank)
      refuse("tensor " + quoted(entry.name),
             fmt::format("rank {}, more than {}", entry.sizes.size(), maxRank));
    putString(header, entry.name);
    put(header, static_cast<uint32_t>(entry.sizes.size()));
    for (auto size = entry.sizes.rbegin(); size != entry.sizes.rend(); ++size)
      put(header, static_cast<uint64_t>(*size));
    put(header, entry.type->number);
    put(header, offset);
    uint64_t numElements = 1;
    for (int64_t size : entry.sizes)
      numElements *= static_cast<uint64_t>(size);
    entry.offset = offset;
    entry.sizeBytes = numElements / static_cast<uint64_t>(entry.type->blockElements) *
                      static_cast<uint64_t>(entry.type->blockBytes);
    offset = alignedUp(offset + entry.sizeBytes, alignment);
  }
  return header;
}

} // namespace

Writer::Writer(const std::string &path, const GgufMetadata &metadata, std::vector<TensorEntry> list)
    : entries(std::move(list)), alignment(alignmentOf(metadata)), file(path, "saveGguf") {
  std::string header = headerOf(metadata, entries, alignment);
  file.write(header.data(), header.size());
  position = header.size();
  pad();
}

void Writer::write(std::span<const std::byte> bytes) {
  if (bytes.empty())
    return;
  while (currentBytes == entries[current].sizeBytes) // empty ones too
    ++current, currentBytes = 0;
  file.write(bytes.data(), bytes.size());
  position += bytes.size();
  currentBytes += bytes.size();
  if (currentBytes == entries[current].sizeBytes)
    pad();
}

void Writer::pad() {
  static constexpr char zeros[4096] = {};
  for (uint64_t count = alignedUp(position, alignment) - position; count;) {
    uint64_t part = std::min<uint64_t>(count, sizeof(zeros));
    file.write(zeros, part);
    position += part;
    count -= part;
  }
}

} // namespace kiln::io::gguf
