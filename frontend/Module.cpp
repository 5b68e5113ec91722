#include "kiln/Module.h"

#include <cstdio>
#include <fmt/format.h>
#include <set>
#include <stdexcept>

namespace kiln::nn {

using detail::FieldVisitor;
using detail::ModuleType;

namespace {

/// Collects what a module has itself.
struct Collector : FieldVisitor {
  std::vector<std::pair<std::string, Tensor *>> tensors;
  std::vector<std::pair<std::string, ModuleRef>> modules;

  explicit Collector(const ModuleRef &module) { module.type->visit(module.object, *this); }
  void parameter(std::string_view name, Tensor &tensor) override {
    tensors.emplace_back(name, &tensor);
  }
  void child(std::string_view name, const ModuleRef &child) override {
    modules.emplace_back(name, child);
  }
};

std::string join(const std::string &prefix, const std::string &name) {
  return prefix.empty() ? name : prefix + "." + name;
}

/// f(qualified name, tensor) for all parameters: own first, then depth first.
template <class F>
void forEachParameter(const ModuleRef &module, const std::string &prefix, F &&f) {
  Collector own(module);
  for (auto &[name, tensor] : own.tensors)
    f(join(prefix, name), *tensor);
  for (auto &[name, child] : own.modules)
    forEachParameter(child, join(prefix, name), f);
}

/// Every place of a parameter once: a shared module is met under several names.
std::vector<std::pair<std::string, Tensor *>> distinctParameters(const ModuleRef &module) {
  std::vector<std::pair<std::string, Tensor *>> result;
  std::set<Tensor *> seen;
  forEachParameter(module, "", [&](const std::string &name, Tensor &tensor) {
    if (seen.insert(&tensor).second)
      result.emplace_back(name, &tensor);
  });
  return result;
}

} // namespace

std::vector<std::pair<std::string, Tensor>> ModuleRef::localParameters() const {
  std::vector<std::pair<std::string, Tensor>> result;
  for (auto &[name, tensor] : Collector(*this).tensors)
    result.emplace_back(name, *tensor);
  return result;
}

std::vector<std::pair<std::string, Tensor>> ModuleRef::parameters() const {
  std::vector<std::pair<std::string, Tensor>> result;
  forEachParameter(*this, "", [&](const std::string &name, Tensor &tensor) {
    result.emplace_back(name, tensor);
  });
  return result;
}

std::vector<std::pair<std::string, ModuleRef>> ModuleRef::children() const {
  return Collector(*this).modules;
}

std::vector<std::pair<std::string, ModuleRef>> ModuleRef::descendants() const {
  std::vector<std::pair<std::string, ModuleRef>> result;
  for (auto &[name, child] : children()) {
    result.emplace_back(name, child);
    for (auto &[inner, descendant] : child.descendants())
      result.emplace_back(join(name, inner), descendant);
  }
  return result;
}

AnyModule::AnyModule(const AnyModule &other)
    : object(other.object), type(other.type), isShared(other.isShared) {
  if (!isShared && object) {
    if (!type->clone)
      throw TypeError(fmt::format("[{}] the module cannot be copied", type->name));
    object = type->clone(object.get());
  }
}

Tensor AnyModule::operator()(const Tensor &x, Where where) const {
  if (!type->call)
    throw TypeError(fmt::format("[{}] the module does not take one tensor and give one{}",
                                type->name, atLocation(where)));
  return type->call(object.get(), x, where);
}

StateSource::StateSource(const std::map<std::string, Tensor> &state)
    : find([&state](const std::string &name) -> std::optional<Tensor> {
        auto found = state.find(name);
        return found == state.end() ? std::nullopt : std::optional<Tensor>(found->second);
      }) {
  for (auto &[name, tensor] : state)
    keys.push_back(name);
}

namespace detail {

void applyToParameters(const ModuleRef &module, const ParameterFunction &f, bool onlyLocal) {
  if (onlyLocal) {
    for (auto &[name, tensor] : Collector(module).tensors)
      *tensor = f(name, *tensor);
    return;
  }
  for (auto &[name, tensor] : distinctParameters(module))
    *tensor = f(name, *tensor);
}

void mapCopiedParameters(const ModuleRef &module, const ParameterFunction &f) {
  /// Replaces each shared module by one copy of it, everywhere.
  struct Unsharer : FieldVisitor {
    std::map<std::shared_ptr<void>, std::shared_ptr<void>> copies;
    std::set<std::shared_ptr<void>> made;
    void parameter(std::string_view, Tensor &) override {}
    void child(std::string_view, const ModuleRef &child) override {
      child.type->visit(child.object, *this);
    }
    std::shared_ptr<void> share(const std::shared_ptr<void> &object,
                                const ModuleType *type) override {
      if (made.contains(object))
        return object;
      std::shared_ptr<void> &copy = copies[object];
      if (!copy) {
        if (!type->clone)
          throw TypeError(fmt::format("[mapParameters] {} cannot be copied", type->name));
        copy = type->clone(object.get());
        made.insert(copy);
      }
      return copy;
    }
  } unsharer;
  module.type->visit(module.object, unsharer);
  applyToParameters(module, f, false);
}

namespace {

struct Assignment {
  std::string name;
  Tensor *parameter;
  Tensor value;
};

bool canAutoCast(DType from, DType to) {
  auto isCastable = [](DType dtype) { return dtype == DType::float32 || dtype == DType::bfloat16; };
  return isCastable(from) && isCastable(to);
}

/// Checks that `value` may take the place of the parameter, and makes it fit.
/// Errors: ValueError that names both types.
void prepare(std::string_view operation, Assignment &assignment, bool autoCast, int &casts,
             bool &narrows) {
  if (!assignment.value.defined())
    throw ValueError(
        fmt::format("[{}] \"{}\": what is given is empty", operation, assignment.name));
  if (!assignment.parameter->defined())
    return; // nothing is known of it yet
  const TensorType &own = assignment.parameter->type();
  TensorType given = assignment.value.type();
  bool isCast = given.dtype != own.dtype && autoCast && canAutoCast(given.dtype, own.dtype);
  if (given.shape != own.shape || (given.dtype != own.dtype && !isCast))
    throw ValueError(fmt::format("[{}] \"{}\": {} is not assignable to the parameter's {}",
                                 operation, assignment.name, given.str(), own.str()));
  if (isCast) {
    ++casts;
    narrows = narrows || sizeBytes(given.dtype) > sizeBytes(own.dtype);
    assignment.value = assignment.value.cast(own.dtype);
  }
  if (given.device != own.device)
    assignment.value = assignment.value.to(own.device);
}

} // namespace

void loadState(const ModuleRef &module, const ParameterFunction &lookup) {
  std::vector<Assignment> assignments;
  int casts = 0;
  bool narrows = false;
  for (auto &[name, parameter] : distinctParameters(module)) {
    try {
      assignments.push_back({name, parameter, lookup(name, *parameter)});
    } catch (const std::out_of_range &) { // std::map::at in the caller's lookup
      throw KeyError(fmt::format("[loadState] \"{}\" is missing", name));
    }
    prepare("loadState", assignments.back(), false, casts, narrows);
  }
  for (Assignment &assignment : assignments)
    *assignment.parameter = std::move(assignment.value);
}

void loadStateDict(const ModuleRef &module, const StateSource &state, const LoadOptions &options) {
  // A module that several parents share has several names, and may be saved under one of them.
  std::vector<Assignment> assignments;
  std::map<Tensor *, std::size_t> places;
  std::set<std::string> taken;
  forEachParameter(module, "", [&](const std::string &name, Tensor &parameter) {
    auto [place, isFirst] = places.try_emplace(&parameter, assignments.size());
    if (isFirst)
      assignments.push_back({name, &parameter, {}});
    if (std::optional<Tensor> value = state.find(name)) {
      taken.insert(name);
      assignments[place->second].value = std::move(*value);
    }
  });
  std::vector<std::string> missing;
  for (const Assignment &assignment : assignments)
    if (!assignment.value.defined())
      missing.push_back(assignment.name);
  auto list = [](const std::vector<std::string> &names) {
    constexpr std::size_t most = 8; // names in a message
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < most; ++i)
      text += fmt::format("{}\"{}\"", i ? ", " : "", names[i]);
    return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
  };
  if (!missing.empty())
    throw KeyError(fmt::format("[loadStateDict] {} {} missing from the state", list(missing),
                               missing.size() == 1 ? "is" : "are"));
  if (options.strict) {
    std::vector<std::string> extra;
    for (const std::string &key : state.keys)
      if (!taken.contains(key))
        extra.push_back(key);
    if (!extra.empty())
      throw ValueError(
          fmt::format("[loadStateDict] no parameter takes {} of the state (strict)", list(extra)));
  }
  int casts = 0;
  bool narrows = false;
  for (Assignment &assignment : assignments)
    prepare("loadStateDict", assignment, options.autoCast, casts, narrows);
  for (Assignment &assignment : assignments)
    *assignment.parameter = std::move(assignment.value);
  if (casts)
    std::fputs(fmt::format("kiln: warning: loadStateDict converted {} parameter(s) between "
                           "float32 and bfloat16{}\n",
                           casts, narrows ? ", with precision loss" : "")
                   .c_str(),
               stderr);
}

void moveTo(const ModuleRef &module, Device device) {
  // All or nothing: a device that is not there throws before anything moved.
  std::vector<std::pair<Tensor *, Tensor>> moved;
  for (auto &[name, tensor] : distinctParameters(module))
    moved.emplace_back(tensor, tensor->to(device));
  for (auto &[place, tensor] : moved)
    *place = std::move(tensor);
}

} // namespace detail
} // namespace kiln::nn
