#include "kiln/GgufValue.h"

#include "frontend/gguf/Format.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

namespace kiln::io {

namespace {

using Type = GgufValue::Type;

constexpr std::string_view typeNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                          "int32",  "float32", "bool",   "string", "array",
                                          "uint64", "int64",   "float64"};
constexpr std::size_t numTypes = std::size(typeNames);
/// The types of the elements of the alternatives of Storage behind the first 13.
constexpr Type elementTypes[] = {Type::uint8,  Type::int8,   Type::uint16,  Type::int16,
                                 Type::uint32, Type::int32,  Type::float32, Type::boolean,
                                 Type::string, Type::uint64, Type::int64,   Type::float64};

/// How much of a value is printed: a screen line or two.
constexpr std::size_t maxItems = 6, maxChars = 120;

template <class T> constexpr bool isVector = false;
template <class T> constexpr bool isVector<std::vector<T>> = true;

} // namespace

std::string_view name(GgufValue::Type type) { return typeNames[static_cast<std::size_t>(type)]; }

GgufValue::GgufValue(std::vector<GgufValue> arrays) {
  for (const GgufValue &array : arrays)
    if (!array.isArray())
      throw TypeError(fmt::format("[GgufValue] an array of arrays cannot hold a value of type {}: "
                                  "give a std::vector of its C++ type",
                                  name(array.type())));
  storage = std::move(arrays);
}

Type GgufValue::type() const {
  return storage.index() < numTypes ? static_cast<Type>(storage.index()) : Type::array;
}

Type GgufValue::elementType() const {
  if (!isArray())
    fail("an array");
  return storage.index() < numTypes ? Type::array : elementTypes[storage.index() - numTypes];
}

std::size_t GgufValue::size() const {
  return std::visit(
      [&]<class T>(const T &value) -> std::size_t {
        if constexpr (isVector<T>)
          return value.size();
        else
          fail("an array");
      },
      storage);
}

GgufValue GgufValue::operator[](std::size_t index) const {
  if (std::size_t count = size(); index >= count)
    throw IndexError(
        fmt::format("[GgufValue] index {} is outside an array of {} values", index, count));
  return std::visit(
      [&]<class T>(const T &value) -> GgufValue {
        if constexpr (isVector<T>)
          return GgufValue(typename T::value_type(value[index]));
        else
          fail("an array");
      },
      storage);
}

GgufValue::Number GgufValue::number(std::string_view wanted) const {
  return std::visit(
      [&]<class T>(const T &value) -> Number {
        if constexpr (std::is_floating_point_v<T>)
          return static_cast<double>(value);
        else if constexpr (std::is_same_v<T, bool> || !std::is_arithmetic_v<T>)
          fail(wanted);
        else if constexpr (std::is_signed_v<T>)
          return static_cast<int64_t>(value);
        else
          return static_cast<uint64_t>(value);
      },
      storage);
}

void GgufValue::read(bool &result) const {
  if (type() != Type::boolean)
    fail("a bool");
  result = std::get<bool>(storage);
}

void GgufValue::read(std::string &result) const {
  if (!isString())
    fail("a string");
  result = std::get<std::string>(storage);
}

void GgufValue::fail(std::string_view wanted) const {
  std::ostringstream text;
  text << *this;
  throw TypeError(fmt::format("[GgufValue] {} {} is not {} that was asked for", name(type()),
                              text.str(), wanted));
}

std::ostream &operator<<(std::ostream &os, const GgufValue &value) {
  std::visit(
      [&]<class T>(const T &contents) {
        if constexpr (std::is_same_v<T, bool>) {
          os << (contents ? "true" : "false");
        } else if constexpr (std::is_same_v<T, std::string>) {
          os << gguf::quoted(contents, maxChars);
        } else if constexpr (std::is_arithmetic_v<T>) {
          os << fmt::format("{}", contents);
        } else {
          os << '[';
          for (std::size_t i = 0; i < std::min(contents.size(), maxItems); ++i)
            os << (i ? ", " : "") << GgufValue(typename T::value_type(contents[i]));
          if (contents.size() > maxItems)
            os << fmt::format(", ... {} values", contents.size());
          os << ']';
        }
      },
      value.contents());
  return os;
}

} // namespace kiln::io
