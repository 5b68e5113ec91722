#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

namespace detail {
template <class M>
concept ModuleLike = IsModule<M> || std::is_same_v<M, AnyModule> || FieldTraits<M>::isShared;
}

/// Modules in order, named "0", "1", …; no call of its own.
struct ModuleList : Module<ModuleList> {
  std::vector<AnyModule> modules;

  ModuleList() = default;
  explicit ModuleList(std::vector<AnyModule> modules) : modules(std::move(modules)) {}
  template <detail::ModuleLike... Ms>
    requires(sizeof...(Ms) > 0 && !(std::is_same_v<Ms, ModuleList> && ...))
  explicit ModuleList(Ms... entries) {
    modules.reserve(sizeof...(Ms));
    (modules.emplace_back(std::move(entries)), ...);
  }

  std::size_t size() const { return modules.size(); }
  const AnyModule &operator[](std::size_t i) const { return modules[i]; }
  auto begin() const { return modules.begin(); }
  auto end() const { return modules.end(); }
  void visitFields(detail::FieldVisitor &visitor) { visitField("", modules, visitor); }
  void describe(Description &to) const {
    for (const AnyModule &module : modules)
      to.addChild("", module.ref());
  }
};

/// Modules one after the other, each from one tensor to one, named "0", "1", ….
struct Sequential : Module<Sequential> {
  std::vector<AnyModule> modules;

  Sequential() = default;
  explicit Sequential(std::vector<AnyModule> modules) : modules(std::move(modules)) {}
  template <detail::ModuleLike... Ms>
    requires(sizeof...(Ms) > 0 && !(sizeof...(Ms) == 1 && (std::is_same_v<Ms, Sequential> && ...)))
  explicit Sequential(Ms... entries) {
    modules.reserve(sizeof...(Ms));
    (modules.emplace_back(std::move(entries)), ...);
  }

  std::size_t size() const { return modules.size(); }
  const AnyModule &operator[](std::size_t i) const { return modules[i]; }
  auto begin() const { return modules.begin(); }
  auto end() const { return modules.end(); }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    Tensor result = x;
    for (const AnyModule &module : modules)
      result = module(result, where);
    return result;
  }
  void visitFields(detail::FieldVisitor &visitor) { visitField("", modules, visitor); }
  void describe(Description &to) const {
    for (const AnyModule &module : modules)
      to.addChild("", module.ref());
  }
};

} // namespace kiln::nn
