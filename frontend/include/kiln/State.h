#pragma once

#include "kiln/Tensor.h"

#include <concepts>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

/// The parameters of a module by name, wherever they come from.
namespace kiln::nn {

using StateDict = std::map<std::string, Tensor>;

struct LoadOptions {
  bool strict = true;    // a name in the state that no parameter took is a ValueError
  bool autoCast = false; // converts between float32 and bfloat16, with one warning
};

namespace detail {
/// io::openSafetensors and its like give one.
template <class F>
concept StateFile = requires(const F &file, const std::string &name) {
  { file.find(name) } -> std::same_as<std::optional<Tensor>>;
  { file.keys() } -> std::convertible_to<std::vector<std::string>>;
};
/// A map, or a list such as Module::parameters().
template <class R>
concept StateRange =
    !StateFile<R> && std::ranges::input_range<const R> &&
    std::convertible_to<std::ranges::range_reference_t<const R>, std::pair<std::string, Tensor>>;
} // namespace detail

/// What parameters are loaded from: a map, an opened file, or a list of (name, tensor). Holds the
/// handles, not the contents: nothing is read or copied before a module takes it.
class StateSource {
public:
  /// No source at all.
  StateSource() = default;
  StateSource(std::initializer_list<StateDict::value_type> state)
      : StateSource(ofDict(StateDict(state))) {}
  template <detail::StateRange R> StateSource(const R &state) : StateSource(ofRange(state)) {}
  template <detail::StateFile File>
    requires(!std::same_as<File, StateSource>)
  StateSource(File file)
      : names(file.keys()),
        lookup([file = std::move(file)](const std::string &name) { return file.find(name); }) {}

  explicit operator bool() const { return lookup != nullptr; }
  std::optional<Tensor> find(const std::string &name) const { return lookup(name); }
  const std::vector<std::string> &keys() const { return names; }

private:
  template <class R> static StateSource ofRange(const R &state) {
    StateDict dict;
    for (const auto &[name, tensor] : state)
      dict.insert_or_assign(name, tensor);
    return ofDict(std::move(dict));
  }
  static StateSource ofDict(StateDict state);

  std::vector<std::string> names;
  std::function<std::optional<Tensor>(const std::string &)> lookup;
};

} // namespace kiln::nn
