#pragma once

#include "kiln/Reflect.h"

namespace kiln::nn {

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
  /// Errors: TypeError if the module cannot be copied.
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
  friend std::ostream &operator<<(std::ostream &os, const AnyModule &module) {
    return os << module.ref();
  }
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

inline ModuleRef detail::refOf(AnyModule &module, FieldVisitor *visitor) {
  return visitor ? module.visitShared(*visitor) : module.ref();
}

} // namespace kiln::nn
