#pragma once

#include "kiln/Error.h"

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace kiln::io {

/// A value in the metadata of a GGUF file: a number, a boolean, a string, or an array of values of
/// one type, arrays among them.
///
///   GgufValue value = uint32_t{4096};       // the C++ type says which type is written
///   value.as<int64_t>();                    // any number that keeps the value, else a TypeError
///   file.metadata("tokenizer.ggml.tokens").as<std::vector<std::string>>();
class GgufValue {
public:
  /// The numbers are those in files (gguf_metadata_value_type of ggml's docs/gguf.md).
  enum class Type : uint32_t {
    uint8 = 0,
    int8 = 1,
    uint16 = 2,
    int16 = 3,
    uint32 = 4,
    int32 = 5,
    float32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    uint64 = 10,
    int64 = 11,
    float64 = 12,
  };
  /// Arrays are stored as vectors of their elements' type.
  using Storage = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, std::vector<GgufValue>, uint64_t, int64_t, double,
                               std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>,
                               std::vector<int16_t>, std::vector<uint32_t>, std::vector<int32_t>,
                               std::vector<float>, std::vector<bool>, std::vector<std::string>,
                               std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;

  template <class T>
    requires std::is_arithmetic_v<T>
  GgufValue(T value) : storage(stored(value)) {}
  GgufValue(std::string value) : storage(std::move(value)) {}
  GgufValue(std::string_view value) : storage(std::string(value)) {}
  GgufValue(const char *value) : storage(std::string(value)) {}
  template <class T>
    requires(std::is_arithmetic_v<T> || std::same_as<T, std::string>)
  GgufValue(std::vector<T> values) : storage(stored(std::move(values))) {}
  /// An array of arrays. Errors: TypeError if one is no array.
  explicit GgufValue(std::vector<GgufValue> arrays);

  Type type() const;
  bool isArray() const { return type() == Type::array; }
  bool isString() const { return type() == Type::string; }
  /// Of an array. Errors: TypeError for other values.
  Type elementType() const;
  std::size_t size() const;
  /// Errors: TypeError if it is no array, IndexError outside of it.
  GgufValue operator[](std::size_t index) const;

  /// As a number, a bool, a std::string or a std::vector of these.
  /// Errors: TypeError that says what it is, also for a number that T cannot keep exactly.
  template <class T> T as() const {
    T result;
    read(result);
    return result;
  }

  const Storage &contents() const { return storage; }
  friend bool operator==(const GgufValue &, const GgufValue &) = default;

private:
  template <class T> static auto stored(T value) {
    if constexpr (std::is_same_v<T, bool> || std::is_floating_point_v<T>)
      return std::conditional_t<std::is_same_v<T, long double>, double, T>(value);
    else if constexpr (std::is_signed_v<T>)
      return std::conditional_t<
          sizeof(T) == 8, int64_t,
          std::conditional_t<sizeof(T) == 4, int32_t,
                             std::conditional_t<sizeof(T) == 2, int16_t, int8_t>>>(value);
    else
      return std::conditional_t<
          sizeof(T) == 8, uint64_t,
          std::conditional_t<sizeof(T) == 4, uint32_t,
                             std::conditional_t<sizeof(T) == 2, uint16_t, uint8_t>>>(value);
  }
  template <class T> static auto stored(std::vector<T> values) {
    if constexpr (std::is_same_v<T, std::string>)
      return values;
    else
      return std::vector<decltype(stored(T()))>(values.begin(), values.end());
  }

  /// A number of any type, exactly.
  using Number = std::variant<uint64_t, int64_t, double>;
  Number number(std::string_view wanted) const;
  [[noreturn]] void fail(std::string_view wanted) const;

  template <class T> void read(T &result) const {
    static_assert(std::is_arithmetic_v<T>, "a number, bool, std::string or std::vector of these");
    constexpr std::string_view wanted = std::is_floating_point_v<T> ? "a number" : "an integer";
    bool fits = false;
    std::visit(
        [&]<class From>(From from) {
          if constexpr (std::is_floating_point_v<T>) {
            result = static_cast<T>(from);
            // A whole number beyond 2^53 may round up to one that From cannot hold.
            fits = std::is_floating_point_v<From> || static_cast<double>(result) < 0x1p63;
            if constexpr (std::is_floating_point_v<From>)
              fits = from != from || static_cast<From>(result) == from;
            else
              fits = fits && static_cast<From>(result) == from;
          } else if constexpr (!std::is_floating_point_v<From>) {
            result = static_cast<T>(from);
            fits = std::in_range<std::conditional_t<std::is_same_v<T, char>, signed char, T>>(from);
          }
        },
        number(wanted));
    if (!fits)
      fail(wanted);
  }
  void read(bool &result) const;
  void read(std::string &result) const;
  template <class T> void read(std::vector<T> &result) const {
    result.clear();
    result.reserve(size());
    for (std::size_t i = 0, count = size(); i < count; ++i)
      result.push_back((*this)[i].template as<T>());
  }

  Storage storage;
};

/// "uint32", "string", "array".
std::string_view name(GgufValue::Type type);
/// `4096`, `"llama"`, `[1, 2, 3, ... 32000 values]`: strings are quoted and escaped, long ones and
/// long arrays cut.
std::ostream &operator<<(std::ostream &os, const GgufValue &value);

using GgufMetadata = std::map<std::string, GgufValue>;

} // namespace kiln::io
