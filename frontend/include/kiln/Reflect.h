#pragma once

#include "kiln/Description.h"

#include <algorithm>
#include <memory>
#include <tuple>

/// Lists the fields of a module, once: the tensors, modules and printable data that it is made
/// of, in order. See nn::Module.
#define KILN_FIELDS(...)                                                                           \
  auto kilnFields() { return std::tie(__VA_ARGS__); }                                              \
  static constexpr std::string_view kilnFieldNames() { return #__VA_ARGS__; }

namespace kiln::nn {

template <class Derived> struct Module;
class AnyModule;

/// A parameter that `to` does not move: it stays on the device where it was made or loaded.
struct PinnedDeviceTensor : Tensor {
  PinnedDeviceTensor() = default;
  PinnedDeviceTensor(Tensor tensor) : Tensor(std::move(tensor)) {}
};

namespace detail {

struct ModuleTag {};
template <class T>
concept IsModule = std::is_base_of_v<ModuleTag, T>;

struct ModuleType;
template <class M> const ModuleType *moduleType();

} // namespace detail

/// A module of any class, not owned. Valid as long as the module that it came from.
class ModuleRef {
public:
  ModuleRef(void *object, const detail::ModuleType *type) : object(object), type(type) {}

  const std::string &typeName() const;
  std::vector<std::pair<std::string, Tensor>> localParameters(Where where = Where::current()) const;
  std::vector<std::pair<std::string, Tensor>> parameters(Where where = Where::current()) const;
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

namespace detail {

/// Sees the fields of a module one after the other.
struct FieldVisitor {
  virtual ~FieldVisitor() = default;
  virtual void parameter(std::string_view name, Tensor &tensor, bool isPinned) = 0;
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
  /// Whether the names of its parts leave its own name out; see TransparentModule.
  bool (*isTransparent)(const void *object);
  /// Null if it cannot be copied.
  std::shared_ptr<void> (*clone)(const void *object);
  /// Null unless the module takes one tensor and gives one.
  Tensor (*call)(void *object, const Tensor &x, Where where);
};

std::string simpleTypeName(std::string_view prettyFunction);
std::string nextFieldName(std::string_view &names);
std::string join(std::string_view prefix, std::string_view name);

/// Modules that a field holds by itself or by a pointer.
template <class T> struct ModuleFieldTraits {
  static constexpr bool isModule = IsModule<T> || std::is_same_v<T, AnyModule>, isShared = false;
};
template <class T> struct ModuleFieldTraits<std::shared_ptr<T>> {
  static constexpr bool isModule = IsModule<T>, isShared = isModule;
};
template <class T, class D> struct ModuleFieldTraits<std::unique_ptr<T, D>> {
  static constexpr bool isModule = IsModule<T>, isShared = false;
};

template <class T>
concept HasFields = requires(T &object) { object.kilnFields(); };

/// Whether a field of this class may hold tensors or modules.
template <class T> constexpr bool holdsParts() {
  using Traits = ContainerTraits<T>;
  if constexpr (Traits::isOptional || Traits::isList || Traits::isKeyed)
    return holdsParts<typename Traits::Entry>();
  else
    return std::is_base_of_v<Tensor, T> || ModuleFieldTraits<T>::isModule || HasFields<T>;
}

template <IsModule M> ModuleRef refOf(M &module, FieldVisitor *) {
  return {&module, moduleType<M>()};
}
ModuleRef refOf(AnyModule &module, FieldVisitor *visitor);
template <IsModule M, class D> ModuleRef refOf(std::unique_ptr<M, D> &module, FieldVisitor *) {
  return {module.get(), moduleType<M>()};
}
template <IsModule M> ModuleRef refOf(std::shared_ptr<M> &module, FieldVisitor *visitor) {
  if (visitor && module)
    if (auto held = visitor->share(module, moduleType<M>()); held != module)
      module = std::static_pointer_cast<M>(held);
  return {module.get(), moduleType<M>()};
}

inline std::string keyText(std::string_view key) { return std::string(key); }
template <std::integral T> std::string keyText(T key) { return std::to_string(key); }

/// What the class of a field must not be, with an error that says what to do.
template <class T> constexpr void checkField() {
  using Plain = std::remove_const_t<T>;
  static_assert(!std::is_const_v<T> || !holdsParts<Plain>(),
                "a field in KILN_FIELDS that holds tensors or modules is not const");
  static_assert(
      !std::is_pointer_v<Plain> || !holdsParts<std::remove_cv_t<std::remove_pointer_t<Plain>>>(),
      "a field in KILN_FIELDS is no raw pointer to a tensor or a module: hold it by value "
      "or by std::shared_ptr");
}

/// Calls f(name, field) for each field that a class lists.
template <class M, class F> void forEachField(M &module, F &&f) {
  if constexpr (HasFields<M>) {
    std::string_view names = M::kilnFieldNames();
    std::apply([&](auto &...fields) { (f(nextFieldName(names), fields), ...); },
               module.kilnFields());
  }
}

/// Shows a visitor one field.
template <class T> void visitField(std::string_view name, T &field, FieldVisitor &visitor) {
  checkField<T>();
  if constexpr (!holdsParts<T>()) {
    return;
  } else if constexpr (std::is_base_of_v<Tensor, T>) {
    visitor.parameter(name, field, std::is_base_of_v<PinnedDeviceTensor, T>);
  } else if constexpr (ModuleFieldTraits<T>::isModule) {
    if (ModuleRef ref = refOf(field, &visitor); ref.object)
      visitor.child(name, ref);
  } else if constexpr (ContainerTraits<T>::isOptional) {
    if (field)
      visitField(name, *field, visitor);
  } else if constexpr (ContainerTraits<T>::isList) {
    std::size_t i = 0;
    for (auto &entry : field)
      visitField(join(name, std::to_string(i++)), entry, visitor);
  } else if constexpr (ContainerTraits<T>::isKeyed) {
    for (auto &[key, entry] : field)
      visitField(join(name, keyText(key)), entry, visitor);
  } else { // a plain struct that lists fields: they are the module's, with the struct's name
    forEachField(field, [&](std::string_view inner, auto &part) {
      visitField(join(name, inner), part, visitor);
    });
  }
}

template <class T> void describeField(std::string_view name, T &field, Description &to) {
  using Traits = ContainerTraits<T>;
  if constexpr (ModuleFieldTraits<T>::isModule) {
    if (ModuleRef ref = refOf(field, nullptr); ref.object)
      to.addChild(name, ref);
  } else if constexpr (HasFields<T>) {
    to.addChild(name, ModuleRef(&field, moduleType<T>()));
  } else if constexpr (Traits::isOptional && holdsParts<T>()) {
    if (field)
      describeField(name, *field, to);
  } else if constexpr (Traits::isList && holdsParts<T>()) {
    using Entry = typename Traits::Entry;
    if constexpr (ModuleFieldTraits<Entry>::isModule) {
      std::vector<ModuleRef> refs;
      for (auto &entry : field)
        if (ModuleRef ref = refOf(entry, nullptr); ref.object)
          refs.push_back(ref);
      to.addChildren(name, refs);
    } else if constexpr (std::is_base_of_v<Tensor, Entry> ||
                         std::is_same_v<Entry, std::optional<Tensor>>) {
      to.addText(name, dataText(field));
    } else {
      std::size_t i = 0;
      for (auto &entry : field)
        describeField(join(name, std::to_string(i++)), entry, to);
    }
  } else if constexpr (Traits::isKeyed && holdsParts<T>()) {
    for (auto &[key, entry] : field)
      describeField(join(name, keyText(key)), entry, to);
  } else {
    to.addText(name, dataText(field));
  }
}

/// Whether two fields certainly hold the same; tensors and modules are not compared.
template <class T> bool sameData(const T &a, const T &b) {
  using Traits = ContainerTraits<T>;
  if constexpr (Traits::isOptional) {
    return a.has_value() == b.has_value() && (!a || sameData(*a, *b));
  } else if constexpr (Traits::isList) {
    return std::equal(std::begin(a), std::end(a), std::begin(b), std::end(b),
                      [](const auto &x, const auto &y) { return sameData(x, y); });
  } else if constexpr (Traits::isKeyed) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto &x, const auto &y) {
      return x.first == y.first && sameData(x.second, y.second);
    });
  } else if constexpr (!holdsParts<T>() && requires {
                         { a == b } -> std::same_as<bool>;
                       }) {
    return a == b;
  } else {
    return false;
  }
}

/// While a module is made only to see its defaults: it takes no random numbers from the program.
class DefaultsProbe {
public:
  DefaultsProbe() { ++depth(); }
  ~DefaultsProbe() { --depth(); }
  DefaultsProbe(const DefaultsProbe &) = delete;
  DefaultsProbe &operator=(const DefaultsProbe &) = delete;
  static bool isActive() { return depth() > 0; }

private:
  static int &depth(); // of this thread
};

/// Stands for a field without a default: a copy of the module's first field of the class asked for.
template <class Fields> struct FieldFiller;
template <class... T> struct FieldFiller<std::tuple<T &...>> {
  const std::tuple<T &...> &fields;
  template <class U>
    requires((std::is_same_v<U, T> || ...) && std::is_copy_constructible_v<U>)
  operator U() const {
    const U *found = nullptr;
    auto look = [&]<class F>(const F &field) {
      if constexpr (std::is_same_v<F, U>)
        found = found ? found : &field;
    };
    std::apply([&](const auto &...field) { (look(field), ...); }, fields);
    return *found;
  }
};

/// The least number of fields, from the first, that an M must be given; -1 if there is no telling.
template <class M, std::size_t... I> constexpr int requiredFields() {
  using Fields = decltype(std::declval<M &>().kilnFields());
  constexpr std::size_t count = sizeof...(I);
  if constexpr (count == 0 ? std::is_default_constructible_v<M>
                           : std::is_aggregate_v<M> && requires(const FieldFiller<Fields> &filler) {
                               M{{}, (void(I), filler)...};
                             })
    return static_cast<int>(count);
  else if constexpr (count == std::tuple_size_v<Fields>)
    return -1;
  else
    return requiredFields<M, I..., count>();
}

/// Which fields have the default that their class gives them; empty if there is no telling.
template <class M> std::vector<bool> fieldsAtDefault([[maybe_unused]] M &module) {
  std::vector<bool> result;
  constexpr int required = requiredFields<M>();
  if constexpr (required >= 0) {
    auto fields = module.kilnFields();
    auto compare = [&](M fresh) {
      auto defaults = fresh.kilnFields();
      std::vector<const void *> places; // in the order of their declaration
      std::apply([&](auto &...field) { (places.push_back(&field), ...); }, defaults);
      std::sort(places.begin(), places.end());
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        auto isGiven = [&](const void *place) {
          return std::find(places.begin(), places.end(), place) - places.begin() < required;
        };
        (result.push_back(!isGiven(&std::get<I>(defaults)) &&
                          sameData(std::get<I>(fields), std::get<I>(defaults))),
         ...);
      }(std::make_index_sequence<std::tuple_size_v<decltype(fields)>>());
    };
    try {
      DefaultsProbe probe;
      if constexpr (required == 0)
        compare(M{});
      else
        [&]<std::size_t... I>(std::index_sequence<I...>) {
          FieldFiller<decltype(fields)> filler{fields};
          compare(M{{}, (void(I), filler)...});
        }(std::make_index_sequence<static_cast<std::size_t>(required)>());
    } catch (const Error &) { // a default that cannot be had here, such as one on an accelerator
      result.clear();
    }
  }
  return result;
}

template <class M> void describeModule(M &module, Description &to) {
  if constexpr (requires(const M &m) { m.describe(to); }) {
    module.describe(to);
  } else if constexpr (HasFields<M>) {
    std::vector<bool> same = fieldsAtDefault(module);
    std::size_t i = 0;
    forEachField(module, [&](std::string_view name, auto &field) {
      if (std::size_t at = i++; at >= same.size() || !same[at])
        describeField(name, field, to);
    });
  }
}

template <class M> std::string typeNameOf() { return simpleTypeName(__PRETTY_FUNCTION__); }

template <class M> ModuleType makeModuleType() {
  static_assert(!IsModule<M> || std::is_base_of_v<Module<M>, M>,
                "a module derives from nn::Module of its own class: struct M : nn::Module<M>. To "
                "extend another module, hold it as a field, or make the base a template of the "
                "class that derives from it");
  static_assert(
      HasFields<M> || std::is_trivially_destructible_v<M> ||
          requires(M &m, FieldVisitor &visitor) { m.visitFields(visitor); } ||
          requires(const M &m, Description &to) { m.describe(to); },
      "this module has fields but lists none: add a public KILN_FIELDS(a, b, ...) with "
      "its tensors and modules, or KILN_FIELDS() if it has none");
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
  type.isTransparent = []([[maybe_unused]] const void *object) {
    if constexpr (requires(const M &m) { static_cast<bool>(m.nameTransparent); })
      return static_cast<bool>(static_cast<const M *>(object)->nameTransparent);
    else
      return false;
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
