#pragma once

#include "kiln/Compile.h"
#include "kiln/Reflect.h"

namespace kiln::nn {

struct LoadOptions {
  bool strict = true;    // a name in the state that no parameter took is a ValueError
  bool autoCast = false; // converts between float32 and bfloat16, with one warning
};

/// Where parameters come from: a map, or an opened file. Keeps a reference to it.
class StateSource {
public:
  StateSource(const std::map<std::string, Tensor> &state);
  template <class File>
    requires requires(const File &file, const std::string &name) {
      { file.find(name) } -> std::same_as<std::optional<Tensor>>;
      { file.keys() } -> std::convertible_to<std::vector<std::string>>;
    }
  StateSource(const File &file)
      : find([&file](const std::string &name) { return file.find(name); }), keys(file.keys()) {}

  std::function<std::optional<Tensor>(const std::string &)> find;
  std::vector<std::string> keys;
};

using StateDict = std::map<std::string, Tensor>;
using ParameterFunction = std::function<Tensor(const std::string &name, const Tensor &tensor)>;

namespace detail {
template <class> const Tensor &asTensor(); // unevaluated only
void applyToParameters(const ModuleRef &module, const ParameterFunction &f, bool onlyLocal);
/// Gives the fields of a copied tree shared modules of their own, then applies f.
void mapCopiedParameters(const ModuleRef &module, const ParameterFunction &f);
void loadState(const ModuleRef &module, const ParameterFunction &lookup);
void loadStateDict(const ModuleRef &module, const StateSource &state, const LoadOptions &options);
void moveTo(const ModuleRef &module, Device device);
} // namespace detail

/// A part of a model: a struct that lists its fields once. Fields may be `Tensor` (a parameter),
/// `std::optional<Tensor>`, another module (a child), `std::shared_ptr` of one (shared by several
/// parents), `std::vector` of one, or any other printable data.
///
///   struct MyLinear : nn::Module<MyLinear> {
///     Tensor weight;
///     std::optional<Tensor> bias{};
///     KILN_FIELDS(weight, bias)
///     Tensor operator()(const Tensor &x) const { … }
///   };
///
/// Names are qualified by dots: "sub.weight", "layers.0.weight". Own parameters come first, then
/// those of the children, depth first.
template <class Derived> struct Module : detail::ModuleTag {
  std::vector<std::pair<std::string, Tensor>> parameters() const { return ref().parameters(); }
  std::vector<std::pair<std::string, Tensor>> localParameters() const {
    return ref().localParameters();
  }
  std::vector<std::pair<std::string, ModuleRef>> children() const { return ref().children(); }
  std::vector<std::pair<std::string, ModuleRef>> descendants() const { return ref().descendants(); }

  /// f(name, tensor) -> tensor, put in the place of the parameter. A module that several parents
  /// share is changed once, under its first name.
  void applyToLocalParameters(const ParameterFunction &f) {
    detail::applyToParameters(ref(), f, true);
  }
  void applyToParameters(const ParameterFunction &f) { detail::applyToParameters(ref(), f, false); }
  /// A new tree with changed parameters; shared modules are shared in it too.
  Derived mapParameters(const ParameterFunction &f) const {
    Derived copy = static_cast<const Derived &>(*this);
    detail::mapCopiedParameters(copy.ref(), f);
    return copy;
  }

  /// Sets every parameter to lookup(name). All or nothing.
  /// Errors: KeyError for a name that is not there, ValueError ("not assignable") for a tensor of
  /// another shape or dtype.
  template <class F> void loadState(F &&lookup) {
    detail::loadState(
        ref(), [&](const std::string &name, const Tensor &) -> Tensor { return lookup(name); });
  }
  /// As loadState, from a whole state. Errors, besides: ValueError if `strict` and a name of the
  /// state was not taken.
  void loadStateDict(const StateDict &state, const LoadOptions &options = {}) {
    detail::loadStateDict(ref(), StateSource(state), options);
  }
  void loadStateDict(const StateSource &state, const LoadOptions &options = {}) {
    detail::loadStateDict(ref(), state, options);
  }
  StateDict stateDict() const {
    StateDict state;
    for (auto &[name, tensor] : parameters())
      state.emplace(name, tensor);
    return state;
  }

  /// Moves every parameter. Returns the module itself.
  Derived &to(Device device) {
    detail::moveTo(ref(), device);
    return static_cast<Derived &>(*this);
  }

  /// Traces operator() once on symbolic tensors of these types and compiles it. The result is
  /// called like the module, with one tensor for each type. See CompiledModel.
  template <std::same_as<TensorType>... Types>
  auto compile(const CompileOptions &options, const Types &...types) const {
    Derived &self = const_cast<Derived &>(static_cast<const Derived &>(*this));
    static_assert(
        requires(Derived &m) { m(detail::asTensor<Types>()...); },
        "compile takes one TensorType for each argument of operator()");
    using Result = std::remove_cvref_t<decltype(self(detail::asTensor<Types>()...))>;
    const TensorType list[] = {types..., TensorType()};
    std::vector<TensorType> given(list, list + sizeof...(Types));
    return kiln::detail::compileModel<Result, sizeof...(Types)>(
        given, parameters(), ref().typeName(), options,
        [&self, where = options.where](const Tensor *x) {
          return [&]<std::size_t... I>(std::index_sequence<I...>) -> Result {
            if constexpr (requires { self(x[I]..., where); })
              return self(x[I]..., where); // errors of a layer that says where it was called
            else
              return self(x[I]...);
          }(std::make_index_sequence<sizeof...(Types)>());
        });
  }
  template <std::same_as<TensorType>... Types>
  auto compile(const kiln::detail::FirstType &first, const Types &...types) const {
    return compile(CompileOptions{.where = first.where}, first.type, types...);
  }
  auto compile(Where where = Where::current()) const {
    return compile(CompileOptions{.where = where});
  }

  ModuleRef ref() const {
    auto *self = const_cast<Derived *>(static_cast<const Derived *>(this));
    return {self, detail::moduleType<Derived>()};
  }

  friend std::ostream &operator<<(std::ostream &os, const Module &module) {
    return os << module.ref();
  }
};

} // namespace kiln::nn
