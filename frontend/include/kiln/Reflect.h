#pragma once

#include "kiln/Tensor.h"

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Lists the fields of a module, once: the tensors, modules and printable data that it is made
/// of, in order. See nn::Module.
#define KILN_FIELDS(...)                                                                           \
  auto kilnFields() { return std::tie(__VA_ARGS__); }                                              \
  static constexpr std::string_view kilnFieldNames() { return #__VA_ARGS__; }

namespace kiln::nn {

class AnyModule;
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
  template <class T> Description &field(std::string_view name, const T &value, const T &fallback) {
    return value == fallback ? *this : field(name, value);
  }
  void addText(std::string_view name, std::string text);
  void addChild(std::string_view name, const ModuleRef &child);
  void addChildren(std::string_view name, const std::vector<ModuleRef> &children);

  /// One line if it fits the columns that are left, else one entry a line, indented by four.
  std::string str(std::size_t columns = 80, std::size_t indent = 0) const;

private:
  std::string line() const;
  std::string typeName;
  std::vector<Entry> entries;
};

namespace detail {

struct ModuleTag {};
template <class T>
concept IsModule = std::is_base_of_v<ModuleTag, T>;

struct ModuleType;
template <class M> const ModuleType *moduleType();

/// Sees the fields of a module one after the other.
struct FieldVisitor {
  virtual ~FieldVisitor() = default;
  virtual void parameter(std::string_view name, Tensor &tensor) = 0;
  virtual void child(std::string_view name, const ModuleRef &child) = 0;
  /// The module that a field which may be shared is to hold.
  virtual std::shared_ptr<void> share(const std::shared_ptr<void> &object, const ModuleType *) {
    return object;
  }
};

/// What is known of a class of modules.
struct ModuleType {
  std::string name;
  void (*visit)(void *object, FieldVisitor &visitor);
  void (*describe)(void *object, Description &description);
  /// Null if it cannot be copied.
  std::shared_ptr<void> (*clone)(const void *object);
  /// Null unless the module takes one tensor and gives one.
  Tensor (*call)(void *object, const Tensor &x, Where where);
};

std::string simpleTypeName(std::string_view prettyFunction);
std::string nextFieldName(std::string_view &names);
std::string streamed(void (*print)(std::ostream &, const void *), const void *value);
std::string textOf(bool value);
std::string textOf(double value);
std::string textOf(std::string_view value);
std::string textOf(const Tensor &value);

template <class T> std::string dataText(const T &value);
template <class T> std::string dataText(const std::vector<T> &values) {
  std::string text = "[";
  for (const T &value : values)
    text += (text.size() > 1 ? ", " : "") + dataText(value);
  return text + "]";
}
template <class T> std::string dataText(const std::optional<T> &value) {
  return value ? dataText(*value) : "none";
}
template <class T> std::string dataText(const T &value) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, Tensor> ||
                std::is_floating_point_v<T> || std::is_convertible_v<const T &, std::string_view>)
    return textOf(value);
  else
    return streamed([](std::ostream &os, const void *p) { os << *static_cast<const T *>(p); },
                    &value);
}

template <class T> struct FieldTraits {
  static constexpr bool isModule = IsModule<T> || std::is_same_v<T, AnyModule>;
  static constexpr bool isShared = false, isVector = false, isOptional = false;
};
template <class T> struct FieldTraits<std::shared_ptr<T>> {
  static constexpr bool isModule = IsModule<T>, isShared = true, isVector = false,
                        isOptional = false;
};
template <class T> struct FieldTraits<std::optional<T>> {
  static constexpr bool isModule = FieldTraits<T>::isModule, isShared = false, isVector = false,
                        isOptional = true;
};
template <class T> struct FieldTraits<std::vector<T>> {
  static constexpr bool isModule = FieldTraits<T>::isModule, isShared = false, isVector = true,
                        isOptional = false;
};

} // namespace detail

/// A module of any class, not owned. Valid as long as the module that it came from.
class ModuleRef {
public:
  ModuleRef(void *object, const detail::ModuleType *type) : object(object), type(type) {}

  const std::string &typeName() const { return type->name; }
  std::vector<std::pair<std::string, Tensor>> localParameters() const;
  std::vector<std::pair<std::string, Tensor>> parameters() const;
  std::vector<std::pair<std::string, ModuleRef>> children() const;
  std::vector<std::pair<std::string, ModuleRef>> descendants() const;
  std::string str() const;
  /// The module itself if it is an M, else null.
  template <class M> M *as() const {
    return type == detail::moduleType<M>() ? static_cast<M *>(object) : nullptr;
  }
  friend bool operator==(const ModuleRef &, const ModuleRef &) = default;

  void *object;
  const detail::ModuleType *type;
};

std::ostream &operator<<(std::ostream &os, const ModuleRef &module);

/// A module of any class by value: a copy has parameters of its own, unless it was made from a
/// shared pointer.
class AnyModule {
public:
  template <detail::IsModule M>
  AnyModule(M module)
      : object(std::make_shared<M>(std::move(module))), type(detail::moduleType<M>()) {}
  template <detail::IsModule M>
  AnyModule(std::shared_ptr<M> module)
      : object(std::move(module)), type(detail::moduleType<M>()), isShared(true) {}
  AnyModule(const AnyModule &other);
  AnyModule(AnyModule &&) = default;
  AnyModule &operator=(AnyModule other) {
    object = std::move(other.object);
    type = other.type;
    isShared = other.isShared;
    return *this;
  }

  /// Errors: TypeError if the module does not take one tensor and give one.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  ModuleRef ref() const { return {object.get(), type}; }
  template <class M> M *as() const { return ref().as<M>(); }
  /// For visitors: the module that is held, replaced where the visitor says so.
  ModuleRef visitShared(detail::FieldVisitor &visitor) {
    if (isShared)
      object = visitor.share(object, type);
    return ref();
  }

private:
  std::shared_ptr<void> object;
  const detail::ModuleType *type;
  bool isShared = false;
};

namespace detail {

template <IsModule M> ModuleRef refOf(M &module, FieldVisitor *) {
  return {&module, moduleType<M>()};
}
inline ModuleRef refOf(AnyModule &module, FieldVisitor *visitor) {
  return visitor ? module.visitShared(*visitor) : module.ref();
}
template <IsModule M> ModuleRef refOf(std::shared_ptr<M> &module, FieldVisitor *visitor) {
  if (visitor && module)
    if (auto held = visitor->share(module, moduleType<M>()); held != module)
      module = std::static_pointer_cast<M>(held);
  return {module.get(), moduleType<M>()};
}

/// Shows a visitor one field.
template <class T> void visitField(std::string_view name, T &field, FieldVisitor &visitor) {
  using Traits = FieldTraits<T>;
  if constexpr (std::is_same_v<T, Tensor>)
    visitor.parameter(name, field);
  else if constexpr (Traits::isOptional) {
    if (field)
      visitField(name, *field, visitor);
  } else if constexpr (Traits::isVector) {
    using Entry = typename T::value_type;
    if constexpr (Traits::isModule || std::is_same_v<Entry, Tensor>)
      for (std::size_t i = 0; i < field.size(); ++i)
        visitField((name.empty() ? "" : std::string(name) + ".") + std::to_string(i), field[i],
                   visitor);
  } else if constexpr (Traits::isModule) {
    ModuleRef ref = refOf(field, &visitor);
    if (ref.object)
      visitor.child(name, ref);
  }
}

template <class T> void describeField(std::string_view name, T &field, Description &to) {
  using Traits = FieldTraits<T>;
  if constexpr (Traits::isOptional && Traits::isModule) {
    if (field)
      describeField(name, *field, to);
  } else if constexpr (Traits::isVector && Traits::isModule) {
    std::vector<ModuleRef> refs;
    for (auto &entry : field)
      refs.push_back(refOf(entry, nullptr));
    to.addChildren(name, refs);
  } else if constexpr (Traits::isModule) {
    if (ModuleRef ref = refOf(field, nullptr); ref.object)
      to.addChild(name, ref);
  } else
    to.addText(name, dataText(field));
}

template <class T> bool sameData(const T &a, const T &b) {
  using Traits = FieldTraits<T>;
  if constexpr (std::is_same_v<T, Tensor> || Traits::isModule)
    return false;
  else if constexpr (std::is_same_v<T, std::optional<Tensor>>)
    return !a && !b;
  else if constexpr (requires {
                       { a == b } -> std::same_as<bool>;
                     })
    return a == b;
  else
    return false;
}

template <class M, class F> void forEachField(M &module, F &&f) {
  if constexpr (requires { module.kilnFields(); }) {
    std::string_view names = M::kilnFieldNames();
    std::apply([&](auto &...fields) { (f(nextFieldName(names), fields), ...); },
               module.kilnFields());
  }
}

template <class M> void describeModule(M &module, Description &to) {
  if constexpr (requires(const M &m) { m.describe(to); }) {
    module.describe(to);
  } else if constexpr (std::is_aggregate_v<M> && std::is_default_constructible_v<M> &&
                       requires { module.kilnFields(); }) {
    M fresh{};
    std::string_view names = M::kilnFieldNames();
    auto fields = module.kilnFields();
    auto defaults = fresh.kilnFields();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (
          [&](std::string name, auto &field, auto &fallback) {
            if (!sameData(field, fallback))
              describeField(name, field, to);
          }(nextFieldName(names), std::get<I>(fields), std::get<I>(defaults)),
          ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(fields)>>());
  } else {
    forEachField(module,
                 [&](std::string_view name, auto &field) { describeField(name, field, to); });
  }
}

template <class M> std::string typeNameOf() { return simpleTypeName(__PRETTY_FUNCTION__); }

template <class M> ModuleType makeModuleType() {
  ModuleType type{};
  type.name = typeNameOf<M>();
  type.visit = [](void *object, FieldVisitor &visitor) {
    M &module = *static_cast<M *>(object);
    if constexpr (requires { module.visitFields(visitor); })
      module.visitFields(visitor);
    else
      forEachField(module,
                   [&](std::string_view name, auto &field) { visitField(name, field, visitor); });
  };
  type.describe = [](void *object, Description &to) {
    describeModule(*static_cast<M *>(object), to);
  };
  if constexpr (std::is_copy_constructible_v<M>)
    type.clone = [](const void *object) -> std::shared_ptr<void> {
      return std::make_shared<M>(*static_cast<const M *>(object));
    };
  if constexpr (requires(M &m, const Tensor &x) {
                  { m(x) } -> std::convertible_to<Tensor>;
                })
    type.call = [](void *object, const Tensor &x, [[maybe_unused]] Where where) -> Tensor {
      M &module = *static_cast<M *>(object);
      if constexpr (requires { module(x, where); })
        return module(x, where);
      else
        return module(x);
    };
  return type;
}

template <class M> const ModuleType *moduleType() {
  static const ModuleType type = makeModuleType<M>();
  return &type;
}

} // namespace detail

template <class T> Description &Description::field(std::string_view name, const T &value) {
  detail::describeField(name, const_cast<T &>(value), *this);
  return *this;
}

} // namespace kiln::nn
