#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

namespace detail {
/// A module, a std::shared_ptr of one, or an AnyModule.
template <class M>
concept ModuleLike = IsModule<M> || std::is_same_v<M, AnyModule> || ModuleFieldTraits<M>::isShared;

template <class M> struct HeldModule {
  using type = M;
};
template <class M> struct HeldModule<std::shared_ptr<M>> {
  using type = M;
};
/// Whether a module of class M (or what it points to) takes one tensor and gives one; of an
/// AnyModule that is known when it is called.
template <class M>
constexpr bool mapsTensorToTensor =
    std::is_invocable_r_v<Tensor, typename HeldModule<M>::type &, const Tensor &>;

/// What ModuleList and Sequential share.
struct ModuleVector {
  std::vector<AnyModule> modules;

  std::size_t size() const { return modules.size(); }
  bool empty() const { return modules.empty(); }
  /// Errors: IndexError.
  const AnyModule &operator[](std::size_t i) const;
  auto begin() const { return modules.begin(); }
  auto end() const { return modules.end(); }
  void append(AnyModule module) { modules.push_back(std::move(module)); }

  void visitFields(FieldVisitor &visitor) { visitField("", modules, visitor); }
  void describe(Description &to) const {
    for (const AnyModule &module : modules)
      to.addChild("", module.ref());
  }
};
} // namespace detail

/// Modules in order, named "0", "1", …; no call of its own.
struct ModuleList : Module<ModuleList>, detail::ModuleVector {
  ModuleList() = default;
  explicit ModuleList(std::vector<AnyModule> entries) { modules = std::move(entries); }
  template <detail::ModuleLike... Ms>
    requires(sizeof...(Ms) > 0 && !(sizeof...(Ms) == 1 && (std::is_same_v<Ms, ModuleList> && ...)))
  explicit ModuleList(Ms... entries) {
    modules.reserve(sizeof...(Ms));
    (modules.emplace_back(std::move(entries)), ...);
  }
};

/// Modules one after the other, each from one tensor to one, named "0", "1", ….
struct Sequential : Module<Sequential>, detail::ModuleVector {
  Sequential() = default;
  explicit Sequential(std::vector<AnyModule> entries) { modules = std::move(entries); }
  template <detail::ModuleLike... Ms>
    requires(sizeof...(Ms) > 0 && !(sizeof...(Ms) == 1 && (std::is_same_v<Ms, Sequential> && ...)))
  explicit Sequential(Ms... entries) {
    static_assert((detail::mapsTensorToTensor<Ms> && ...),
                  "each module of a Sequential takes one Tensor and gives one: Tensor "
                  "operator()(const Tensor &x) const");
    modules.reserve(sizeof...(Ms));
    (modules.emplace_back(std::move(entries)), ...);
  }

  /// Errors: TypeError if an entry does not take one tensor and give one.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    Tensor result = x;
    for (const AnyModule &module : modules)
      result = module(result, where);
    return result;
  }
};

} // namespace kiln::nn
