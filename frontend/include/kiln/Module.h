#pragma once

#include "kiln/AnyModule.h"
#include "kiln/Compile.h"
#include "kiln/State.h"

namespace kiln::nn {

using ParameterFunction = std::function<Tensor(const std::string &name, const Tensor &tensor)>;

namespace detail {
template <class> const Tensor &asTensor(); // unevaluated only
void applyToParameters(const ModuleRef &module, const ParameterFunction &f, bool onlyLocal,
                       Where where);
/// Gives the fields of a copied tree shared modules of their own, then applies f.
void mapCopiedParameters(const ModuleRef &module, const ParameterFunction &f, Where where);
void loadState(const ModuleRef &module, const ParameterFunction &lookup, Where where);
void loadStateDict(const ModuleRef &module, const StateSource &state, const LoadOptions &options,
                   Where where);
/// Gives a copied tree the weights of `options`, and shared modules of its own.
void takeWeights(const ModuleRef &module, const CompileOptions &options);
[[noreturn]] void failToCopy(const ModuleRef &module, Where where);
void moveTo(const ModuleRef &module, Device device, Where where);
} // namespace detail

/// A part of a model: a struct that lists its fields once. Fields may be `Tensor` (a parameter),
/// `std::optional<Tensor>`, another module (a child), `std::shared_ptr` of one (shared by several
/// parents), containers of these, or any other printable data.
///
///   struct MyLinear : nn::Module<MyLinear> {
///     Tensor weight;
///     std::optional<Tensor> bias{};
///     KILN_FIELDS(weight, bias)
///     Tensor operator()(const Tensor &x) const { … }
///   };
///
/// What is not listed is the struct's own affair: no parameter, not loaded, moved or printed.
///
/// Names are qualified by dots: "sub.weight", "layers.0.weight", of a std::map by its keys:
/// "heads.left.weight". Own parameters come first, then those of the children, depth first.
/// Copies have parameters of their own (handles on the same contents, until one is replaced);
/// modules behind a std::shared_ptr stay shared by both.
/// Errors: ValueError ("two leaves share a path") if two parameters have one name.
template <class Derived> struct Module : detail::ModuleTag {
  std::vector<std::pair<std::string, Tensor>> parameters(Where where = Where::current()) const {
    return ref().parameters(where);
  }
  std::vector<std::pair<std::string, Tensor>>
  localParameters(Where where = Where::current()) const {
    return ref().localParameters(where);
  }
  std::vector<std::pair<std::string, ModuleRef>> children() const { return ref().children(); }
  std::vector<std::pair<std::string, ModuleRef>> descendants() const { return ref().descendants(); }

  /// f(name, tensor) -> tensor, put in the place of the parameter. A module that several parents
  /// share is changed once, under its first name.
  void applyToLocalParameters(const ParameterFunction &f, Where where = Where::current()) {
    detail::applyToParameters(ref(), f, true, where);
  }
  void applyToParameters(const ParameterFunction &f, Where where = Where::current()) {
    detail::applyToParameters(ref(), f, false, where);
  }
  /// A new tree with changed parameters; shared modules are shared in it too.
  Derived mapParameters(const ParameterFunction &f, Where where = Where::current()) const {
    static_assert(std::is_copy_constructible_v<Derived>,
                  "mapParameters copies the module, and this one cannot be copied");
    Derived copy = static_cast<const Derived &>(*this);
    detail::mapCopiedParameters(copy.ref(), f, where);
    return copy;
  }

  /// Sets every parameter to lookup(name). All or nothing.
  /// Errors: KeyError for a name that is not there, ValueError ("not assignable") for a tensor of
  /// another shape or dtype.
  template <class F> void loadState(F &&lookup, Where where = Where::current()) {
    static_assert(std::is_invocable_r_v<Tensor, F &, const std::string &>,
                  "loadState takes lookup(name) -> Tensor");
    detail::loadState(
        ref(), [&](const std::string &name, const Tensor &) -> Tensor { return lookup(name); },
        where);
  }
  /// As loadState, from a whole state: a map, an opened file, or a list of (name, tensor).
  /// Errors, besides: ValueError if `strict` and a name of the state was not taken.
  void loadStateDict(const StateSource &state, const LoadOptions &options = {},
                     Where where = Where::current()) {
    detail::loadStateDict(ref(), state, options, where);
  }
  StateDict stateDict(Where where = Where::current()) const {
    StateDict state;
    for (auto &[name, tensor] : parameters(where))
      state.emplace(name, tensor);
    return state;
  }

  /// Moves every parameter that is no PinnedDeviceTensor. Returns the module itself.
  Derived &to(Device device, Where where = Where::current()) {
    detail::moveTo(ref(), device, where);
    return static_cast<Derived &>(*this);
  }

  /// As operator().
  template <class... Arguments> decltype(auto) forward(Arguments &&...x) const {
    return static_cast<const Derived &>(*this)(std::forward<Arguments>(x)...);
  }

  /// Traces operator() once on symbolic tensors of these types and compiles it. The result is
  /// called like the module, with one tensor for each type. See CompiledModel and CompileOptions.
  /// Errors: with `options.weights` those of loadStateDict as well, apart from `strict`.
  template <std::same_as<TensorType>... Types>
  auto compile(const CompileOptions &options, const Types &...types) const {
    if (options.weights) {
      if constexpr (std::is_copy_constructible_v<Derived>) {
        Derived copy = static_cast<const Derived &>(*this);
        detail::takeWeights(copy.ref(), options);
        return static_cast<const Module &>(copy).compileAsItIs(options, types...);
      } else {
        detail::failToCopy(ref(), options.where);
      }
    }
    return compileAsItIs(options, types...);
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

private:
  template <class... Types>
  auto compileAsItIs(const CompileOptions &options, const Types &...types) const {
    Derived &self = const_cast<Derived &>(static_cast<const Derived &>(*this));
    constexpr bool takesThese = requires(Derived &m) { m(detail::asTensor<Types>()...); };
    static_assert(takesThese, "compile takes one TensorType for each argument of operator()");
    if constexpr (takesThese) {
      using Result = std::remove_cvref_t<decltype(self(detail::asTensor<Types>()...))>;
      static_assert(kiln::detail::IsResult<Result>,
                    "operator() of a module that is compiled gives a Tensor, or a tuple, pair, "
                    "array or vector of Tensors");
      const TensorType list[] = {types..., TensorType()};
      std::vector<TensorType> given(list, list + sizeof...(Types));
      return kiln::detail::compileModel<Result, sizeof...(Types)>(
          given, parameters(options.where), ref().typeName(), options,
          [&self, where = options.where](const Tensor *x) {
            return [&]<std::size_t... I>(std::index_sequence<I...>) -> Result {
              if constexpr (requires { self(x[I]..., where); })
                return self(x[I]..., where); // errors of a layer that says where it was called
              else
                return self(x[I]...);
            }(std::make_index_sequence<sizeof...(Types)>());
          });
    }
  }
};

/// A module whose own name the names of its parts leave out: as a field `inner` with a child `a` it
/// gives its parent the parameter "a.weight", not "inner.a.weight". `children` and `descendants`
/// still know it as "inner". A struct that says
/// `static constexpr bool nameTransparent = false;` (or has such a member) is as any other.
template <class Derived> struct TransparentModule : Module<Derived> {
  static constexpr bool nameTransparent = true;
};

} // namespace kiln::nn
