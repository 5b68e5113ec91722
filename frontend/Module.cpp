#include "kiln/Module.h"
#include "frontend/Sharding.h"
#include "kiln/nn/Sequential.h"

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
  struct Parameter {
    std::string name;
    Tensor *tensor;
    bool isPinned;
  };
  std::vector<Parameter> parameters;
  std::vector<std::pair<std::string, ModuleRef>> modules;

  explicit Collector(const ModuleRef &module) { module.type->visit(module.object, *this); }
  void parameter(std::string_view name, Tensor &tensor, bool isPinned) override {
    parameters.push_back({std::string(name), &tensor, isPinned});
  }
  void child(std::string_view name, const ModuleRef &child) override {
    modules.emplace_back(name, child);
  }
};

using detail::join;
using Parameters = std::vector<Collector::Parameter>;

/// What the names of a child's parts begin with.
std::string prefixOf(const std::string &prefix, const std::string &name, const ModuleRef &child) {
  return child.type->isTransparent(child.object) ? prefix : join(prefix, name);
}

void collectParameters(const ModuleRef &module, const std::string &prefix, Parameters &all) {
  Collector own(module);
  for (const Collector::Parameter &parameter : own.parameters)
    all.push_back({join(prefix, parameter.name), parameter.tensor, parameter.isPinned});
  for (auto &[name, child] : own.modules)
    collectParameters(child, prefixOf(prefix, name, child), all);
}

void checkDistinctNames(const Parameters &parameters, std::string_view operation, Where where) {
  std::set<std::string_view> names;
  for (const Collector::Parameter &parameter : parameters)
    if (!names.insert(parameter.name).second)
      throw ValueError(fmt::format("[{}] two leaves share a path: \"{}\"{}", operation,
                                   parameter.name, atLocation(where)));
}

/// All parameters with their qualified names: own first, then depth first.
Parameters allParameters(const ModuleRef &module, std::string_view operation, Where where) {
  Parameters all;
  collectParameters(module, "", all);
  checkDistinctNames(all, operation, where);
  return all;
}

/// Every place of a parameter once: a shared module is met under several names.
Parameters distinctParameters(const ModuleRef &module, std::string_view operation, Where where) {
  Parameters all = allParameters(module, operation, where);
  std::set<Tensor *> seen;
  std::erase_if(all, [&](const Collector::Parameter &parameter) {
    return !seen.insert(parameter.tensor).second;
  });
  return all;
}

std::vector<std::pair<std::string, Tensor>> namedTensors(const Parameters &parameters) {
  std::vector<std::pair<std::string, Tensor>> result;
  for (const Collector::Parameter &parameter : parameters)
    result.emplace_back(parameter.name, *parameter.tensor);
  return result;
}

} // namespace

std::string detail::join(std::string_view prefix, std::string_view name) {
  return prefix.empty() ? std::string(name) : fmt::format("{}.{}", prefix, name);
}

int &detail::DefaultsProbe::depth() {
  thread_local int depth = 0;
  return depth;
}

const std::string &ModuleRef::typeName() const { return type->name; }

std::vector<std::pair<std::string, Tensor>> ModuleRef::localParameters(Where where) const {
  Parameters own = Collector(*this).parameters;
  checkDistinctNames(own, "localParameters", where);
  return namedTensors(own);
}

std::vector<std::pair<std::string, Tensor>> ModuleRef::parameters(Where where) const {
  return namedTensors(allParameters(*this, "parameters", where));
}

std::vector<std::pair<std::string, ModuleRef>> ModuleRef::children() const {
  return Collector(*this).modules;
}

static void collectDescendants(const ModuleRef &module, const std::string &prefix,
                               std::vector<std::pair<std::string, ModuleRef>> &all) {
  for (auto &[name, child] : module.children()) {
    all.emplace_back(join(prefix, name), child);
    collectDescendants(child, prefixOf(prefix, name, child), all);
  }
}

std::vector<std::pair<std::string, ModuleRef>> ModuleRef::descendants() const {
  std::vector<std::pair<std::string, ModuleRef>> result;
  collectDescendants(*this, "", result);
  return result;
}

AnyModule::AnyModule(const AnyModule &other)
    : object(other.object), type(other.type), isShared(other.isShared) {
  if (!isShared && object) {
    if (!type->clone)
      throw TypeError(fmt::format("[AnyModule] a module {} cannot be copied", type->name));
    object = type->clone(object.get());
  }
}

Tensor AnyModule::operator()(const Tensor &x, Where where) const {
  if (!object)
    throw TypeError(fmt::format("[{}] the module is null{}", type->name, atLocation(where)));
  if (!type->call)
    throw TypeError(fmt::format("[{}] the module does not take one tensor and give one{}",
                                type->name, atLocation(where)));
  return type->call(object.get(), x, where);
}

const AnyModule &detail::ModuleVector::operator[](std::size_t i) const {
  if (i >= modules.size())
    throw IndexError(
        fmt::format("[ModuleList] index {} is out of range for {} modules", i, modules.size()));
  return modules[i];
}

StateSource StateSource::ofDict(StateDict state) {
  StateSource source;
  for (auto &[name, tensor] : state)
    source.names.push_back(name);
  source.lookup = [state = std::move(state)](const std::string &name) -> std::optional<Tensor> {
    auto found = state.find(name);
    return found == state.end() ? std::nullopt : std::optional<Tensor>(found->second);
  };
  return source;
}

namespace detail {

void applyToParameters(const ModuleRef &module, const ParameterFunction &f, bool onlyLocal,
                       Where where) {
  for (auto &[name, tensor, isPinned] :
       onlyLocal ? Collector(module).parameters
                 : distinctParameters(module, "applyToParameters", where))
    *tensor = f(name, *tensor);
}

/// Replaces each shared module by one copy of it, everywhere.
static void unshare(const ModuleRef &module, std::string_view operation, Where where) {
  struct Unsharer : FieldVisitor {
    std::string_view operation;
    Where where;
    std::map<std::shared_ptr<void>, std::shared_ptr<void>> copies;
    std::set<std::shared_ptr<void>> made;
    void parameter(std::string_view, Tensor &, bool) override {}
    void child(std::string_view, const ModuleRef &child) override {
      child.type->visit(child.object, *this);
    }
    std::shared_ptr<void> share(const std::shared_ptr<void> &object,
                                const ModuleType *type) override {
      if (!object || made.contains(object))
        return object;
      std::shared_ptr<void> &copy = copies[object];
      if (!copy) {
        if (!type->clone)
          throw TypeError(fmt::format("[{}] a module {} cannot be copied{}", operation, type->name,
                                      atLocation(where)));
        copy = type->clone(object.get());
        made.insert(copy);
      }
      return copy;
    }
  } unsharer;
  unsharer.operation = operation;
  unsharer.where = where;
  module.type->visit(module.object, unsharer);
}

void mapCopiedParameters(const ModuleRef &module, const ParameterFunction &f, Where where) {
  unshare(module, "mapParameters", where);
  applyToParameters(module, f, false, where);
}

void failToCopy(const ModuleRef &module, Where where) {
  throw TypeError(fmt::format("[compile] a module {} cannot be copied, so it is not compiled with "
                              "other weights than its own{}",
                              module.typeName(), atLocation(where)));
}

namespace {

/// What is about to be put in the place of parameters. Nothing changes before `commit`.
class Assignments {
public:
  Assignments(std::string_view operation, bool autoCast, Where where)
      : operation(operation), autoCast(autoCast), where(where) {}

  /// Checks that `value` may take the place of the parameter, and makes it fit.
  /// Errors: ValueError that names both types.
  void add(const std::string &name, Tensor *parameter, Tensor value);
  /// Warns if something was converted.
  void commit();
  template <class E, class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> message, Args &&...args) const {
    throw E(fmt::format("[{}] {}{}", operation, fmt::format(message, std::forward<Args>(args)...),
                        atLocation(where)));
  }

private:
  std::string_view operation;
  bool autoCast;
  Where where;
  std::vector<std::pair<Tensor *, Tensor>> values;
  int casts = 0;
  bool narrows = false;
};

bool canAutoCast(DType from, DType to) {
  auto isCastable = [](DType dtype) { return dtype == DType::float32 || dtype == DType::bfloat16; };
  return isCastable(from) && isCastable(to);
}

/// What makes the one kind of tensor of the other.
const char *packingHint(const TensorType &given, const TensorType &own) {
  if (own.dtype == DType::uint8 && isFloat(given.dtype))
    return " (quantization::quantize packs floats)";
  if (isFloat(own.dtype) && given.dtype == DType::uint8)
    return " (dequantize makes floats of a packed tensor)";
  return "";
}

void Assignments::add(const std::string &name, Tensor *parameter, Tensor value) {
  if (!value.defined())
    fail<ValueError>("\"{}\": what is given is empty", name);
  if (parameter->defined()) { // else nothing is known of it yet
    const TensorType &own = parameter->type();
    TensorType given = value.type();
    bool isCast = given.dtype != own.dtype && autoCast && canAutoCast(given.dtype, own.dtype);
    if (given.shape != own.shape || (given.dtype != own.dtype && !isCast))
      fail<ValueError>("\"{}\": {} is not assignable to the parameter's {}{}", name, given.str(),
                       own.str(), packingHint(given, own));
    if (isCast) {
      ++casts;
      narrows = narrows || sizeBytes(given.dtype) > sizeBytes(own.dtype);
      value = value.cast(own.dtype, where);
    }
    kiln::detail::Call call(operation, where);
    if (const auto &sharding = parameter->handle()->sharding)
      value = kiln::detail::shardLike(call, value, *sharding);
    else
      value = kiln::detail::wholeOn(call, value, own.device);
  }
  values.emplace_back(parameter, std::move(value));
}

void Assignments::commit() {
  for (auto &[parameter, value] : values)
    *parameter = std::move(value);
  if (casts)
    std::fputs(fmt::format("kiln: warning: {} converted {} parameter(s) between float32 and "
                           "bfloat16{}\n",
                           operation, casts, narrows ? ", with precision loss" : "")
                   .c_str(),
               stderr);
}

std::string listed(const std::vector<std::string> &names) {
  constexpr std::size_t most = 8; // names in a message
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i)
    text += fmt::format("{}\"{}\"", i ? ", " : "", names[i]);
  return names.size() > most ? fmt::format("{} and {} more", text, names.size() - most) : text;
}

void assignState(const ModuleRef &module, std::string_view operation, const StateSource &state,
                 const LoadOptions &options, Where where) {
  // A module that several parents share has several names, and may be saved under one of them.
  struct Found {
    std::string name;
    Tensor *parameter;
    std::optional<Tensor> value;
  };
  std::vector<Found> found;
  std::map<Tensor *, std::size_t> places;
  std::set<std::string> taken;
  for (auto &[name, parameter, isPinned] : allParameters(module, operation, where)) {
    auto [place, isFirst] = places.try_emplace(parameter, found.size());
    if (isFirst)
      found.push_back({name, parameter, {}});
    if (std::optional<Tensor> value = state ? state.find(name) : std::nullopt) {
      taken.insert(name);
      found[place->second].value = std::move(value);
    }
  }
  Assignments assignments(operation, options.autoCast, where);
  std::vector<std::string> missing, extra;
  for (const Found &entry : found)
    if (!entry.value)
      missing.push_back(entry.name);
  if (!missing.empty())
    assignments.fail<KeyError>("{} {} missing from the state", listed(missing),
                               missing.size() == 1 ? "is" : "are");
  for (const std::string &key : state.keys())
    if (!taken.contains(key))
      extra.push_back(key);
  if (options.strict && !extra.empty())
    assignments.fail<ValueError>("no parameter takes {} of the state (strict)", listed(extra));
  for (Found &entry : found)
    assignments.add(entry.name, entry.parameter, std::move(*entry.value));
  assignments.commit();
}

} // namespace

void loadState(const ModuleRef &module, const ParameterFunction &lookup, Where where) {
  Assignments assignments("loadState", false, where);
  for (auto &[name, parameter, isPinned] : distinctParameters(module, "loadState", where)) {
    Tensor value;
    try {
      value = lookup(name, *parameter);
    } catch (const std::out_of_range &) { // std::map::at in the caller's lookup
      assignments.fail<KeyError>("\"{}\" is missing", name);
    }
    assignments.add(name, parameter, std::move(value));
  }
  assignments.commit();
}

void loadStateDict(const ModuleRef &module, const StateSource &state, const LoadOptions &options,
                   Where where) {
  assignState(module, "loadStateDict", state, options, where);
}

void takeWeights(const ModuleRef &module, const CompileOptions &options) {
  unshare(module, "compile", options.where);
  assignState(module, "compile", options.weights, {.strict = false, .autoCast = options.autoCast},
              options.where);
}

void moveTo(const ModuleRef &module, Device device, Where where) {
  // All or nothing: a device that is not there throws before anything moved.
  std::vector<std::pair<Tensor *, Tensor>> moved;
  for (auto &[name, tensor, isPinned] : distinctParameters(module, "to", where))
    if (!isPinned && tensor->defined())
      moved.emplace_back(tensor, tensor->to(device, where));
  for (auto &[place, tensor] : moved)
    *place = std::move(tensor);
}

} // namespace detail
} // namespace kiln::nn
