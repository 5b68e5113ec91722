#pragma once

#include "kiln/Error.h"
#include "kiln/Shape.h"

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

/// The fields of an artifact's file, one behind the other: docs/artifact.md.
namespace kiln::runtime {

/// A longer text of a dim would be nothing that a program wrote.
constexpr std::size_t maxDimChars = 4096;
constexpr uint32_t maxRank = 64;

class ArtifactWriter {
public:
  std::vector<std::byte> bytes;

  template <class T> void number(T value) {
    auto *raw = reinterpret_cast<const std::byte *>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
  }
  void string(std::string_view text) {
    number(static_cast<uint32_t>(text.size()));
    auto *raw = reinterpret_cast<const std::byte *>(text.data());
    bytes.insert(bytes.end(), raw, raw + text.size());
  }
  void blob(std::span<const std::byte> contents) {
    number(static_cast<uint32_t>(contents.size()));
    bytes.insert(bytes.end(), contents.begin(), contents.end());
  }
  template <class List, class Each> void list(const List &items, Each each) {
    number(static_cast<uint32_t>(items.size()));
    for (const auto &item : items)
      each(item);
  }
  void dim(const Dim &dim) { string(dim.str()); }
  void type(const TensorType &type) {
    number(static_cast<uint8_t>(type.dtype));
    number(static_cast<uint8_t>(type.device.kind()));
    number(static_cast<int32_t>(type.device.index()));
    list(type.shape.vec(), [&](const Dim &size) { dim(size); });
  }
};

/// Reads what ArtifactWriter wrote and believes none of it; errors name the field.
class ArtifactReader {
public:
  explicit ArtifactReader(std::span<const std::byte> bytes) : bytes(bytes) {}

  [[noreturn]] static void fail(std::string_view field, std::string_view reason) {
    throw IoError(fmt::format("artifact: {}: {}", field, reason));
  }
  template <class T> T number(std::string_view field) {
    T value;
    std::memcpy(&value, take(sizeof(T), field).data(), sizeof(T));
    return value;
  }
  /// A number in [0, limit).
  template <class T> T choice(T limit, std::string_view field) {
    T value = number<T>(field);
    if (value < 0 || value >= limit)
      fail(field, fmt::format("{} is not below {}", value, limit));
    return value;
  }
  bool flag(std::string_view field) { return choice<uint8_t>(2, field) != 0; }
  std::string string(std::string_view field) {
    std::span<const std::byte> text = take(number<uint32_t>(field), field);
    return {reinterpret_cast<const char *>(text.data()), text.size()};
  }
  std::vector<std::byte> blob(std::string_view field) {
    std::span<const std::byte> contents = take(number<uint32_t>(field), field);
    return {contents.begin(), contents.end()};
  }
  /// each(name) for every item; at least `itemBytes` must be there for each.
  template <class Each> void list(std::string_view field, std::size_t itemBytes, Each each) {
    uint32_t count = number<uint32_t>(field);
    if (count > bytes.size() / itemBytes)
      fail(field, fmt::format("{} items do not fit into {} bytes", count, bytes.size()));
    for (uint32_t i = 0; i < count; ++i)
      each(fmt::format("{}[{}]", field, i));
  }
  Dim dim(std::string_view field) {
    std::string text = string(field);
    if (text.size() > maxDimChars)
      fail(field, "is too long");
    try {
      return Dim::parse(text);
    } catch (const Error &error) {
      fail(field, error.what());
    }
  }
  DType dtype(std::string_view field) {
    return static_cast<DType>(choice<uint8_t>(static_cast<uint8_t>(DType::float64) + 1, field));
  }
  TensorType type(std::string_view field) {
    DType type = dtype(fmt::format("{}.dtype", field));
    auto kind = static_cast<Device::Kind>(choice<uint8_t>(2, fmt::format("{}.device", field)));
    auto index = number<int32_t>(fmt::format("{}.device", field));
    std::vector<Dim> dims;
    list(fmt::format("{}.shape", field), sizeof(uint32_t),
         [&](const std::string &item) { dims.push_back(dim(item)); });
    if (dims.size() > maxRank)
      fail(field, fmt::format("rank {} is above {}", dims.size(), maxRank));
    try {
      return TensorType(type, Shape(std::move(dims)), Device(kind, index));
    } catch (const Error &error) {
      fail(field, error.what());
    }
  }
  void end() {
    if (!bytes.empty())
      fail("metadata", fmt::format("{} bytes too many", bytes.size()));
  }

private:
  std::span<const std::byte> take(std::size_t count, std::string_view field) {
    if (count > bytes.size())
      fail(field, fmt::format("is cut off: {} bytes, {} left", count, bytes.size()));
    std::span<const std::byte> taken = bytes.first(count);
    bytes = bytes.subspan(count);
    return taken;
  }
  std::span<const std::byte> bytes;
};

} // namespace kiln::runtime
