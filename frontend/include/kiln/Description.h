#pragma once

#include "kiln/Tensor.h"

#include <array>
#include <concepts>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// How modules are printed.
namespace kiln::nn {

class ModuleRef;

/// How a module prints itself: its fields in order. A module class may say it with
/// `void describe(nn::Description &) const` in the place of its KILN_FIELDS.
class Description {
public:
  struct Entry {
    std::string name;                  // empty: only the value is printed
    std::string text;                  // of data
    std::vector<Description> children; // of modules: one, or a list of them
    bool isList = false;
  };

  explicit Description(std::string typeName = {}) : typeName(std::move(typeName)) {}
  template <class T> Description &field(std::string_view name, const T &value);
  /// Left out if it has its default.
  template <class T>
  Description &field(std::string_view name, const T &value,
                     const std::type_identity_t<T> &fallback) {
    return value == fallback ? *this : field(name, value);
  }
  void addText(std::string_view name, std::string text);
  void addChild(std::string_view name, const ModuleRef &child);
  void addChildren(std::string_view name, const std::vector<ModuleRef> &children);

  /// One line if it fits the columns that are left, else one entry a line, indented by four.
  std::string str(std::size_t columns = 80, std::size_t indent = 0) const;

private:
  std::string line() const;
  static std::string line(const Entry &entry);
  std::string typeName;
  std::vector<Entry> entries;
};

namespace detail {

template <class T>
concept Streamable = requires(std::ostream &os, const T &value) { os << value; };

std::string streamed(void (*print)(std::ostream &, const void *), const void *value);
std::string textOf(bool value);
std::string textOf(double value);
std::string textOf(std::string_view value);
std::string textOf(const Tensor &value);

/// Containers whose entries are fields or data of their own. A container of names has `isKeyed`.
template <class T> struct ContainerTraits {
  static constexpr bool isList = false, isKeyed = false, isOptional = false;
};
template <class T> struct ListTraits {
  using Entry = T;
  static constexpr bool isList = true, isKeyed = false, isOptional = false;
};
template <class T, class A> struct ContainerTraits<std::vector<T, A>> : ListTraits<T> {};
template <class T, class A> struct ContainerTraits<std::deque<T, A>> : ListTraits<T> {};
template <class T, class A> struct ContainerTraits<std::list<T, A>> : ListTraits<T> {};
template <class T, std::size_t N> struct ContainerTraits<std::array<T, N>> : ListTraits<T> {};
template <class T, std::size_t N>
  requires(!std::is_same_v<T, char> && !std::is_same_v<T, const char>)
struct ContainerTraits<T[N]> : ListTraits<T> {};
template <class K, class T, class C, class A> struct ContainerTraits<std::map<K, T, C, A>> {
  using Entry = T;
  static constexpr bool isList = false, isKeyed = true, isOptional = false;
};
template <class T> struct ContainerTraits<std::optional<T>> {
  using Entry = T;
  static constexpr bool isList = false, isKeyed = false, isOptional = true;
};

/// A field that is no tensor and no module, as it is printed.
template <class T> std::string dataText(const T &value) {
  using Traits = ContainerTraits<T>;
  if constexpr (Traits::isOptional) {
    return value ? dataText(*value) : "none";
  } else if constexpr (Traits::isList) {
    std::string text;
    for (const typename Traits::Entry &entry : value)
      text += (text.empty() ? "" : ", ") + dataText(entry);
    return "[" + text + "]";
  } else if constexpr (Traits::isKeyed) {
    std::string text;
    for (const auto &[key, entry] : value)
      text += (text.empty() ? "" : ", ") + dataText(key) + ": " + dataText(entry);
    return "{" + text + "}";
  } else if constexpr (std::is_same_v<T, bool> || std::is_base_of_v<Tensor, T> ||
                       std::is_floating_point_v<T> ||
                       std::is_convertible_v<const T &, std::string_view>) {
    return textOf(value);
  } else if constexpr (std::is_same_v<T, signed char> || std::is_same_v<T, unsigned char>) {
    return std::to_string(value); // int8_t and uint8_t are numbers
  } else if constexpr (std::is_enum_v<T> && !Streamable<T>) {
    return std::to_string(static_cast<std::underlying_type_t<T>>(value));
  } else {
    static_assert(Streamable<T>,
                  "a field in KILN_FIELDS is a kiln::Tensor, a module, an optional, a container or "
                  "a shared_ptr of them, or data that operator<< prints; leave this field out of "
                  "KILN_FIELDS, or give its type an operator<<");
    if constexpr (Streamable<T>)
      return streamed([](std::ostream &os, const void *p) { os << *static_cast<const T *>(p); },
                      &value);
  }
}

} // namespace detail
} // namespace kiln::nn
