#pragma once

#include "kiln/Graph.h"
#include "kiln/Module.h"

#include <iosfwd>
#include <string>
#include <vector>

namespace kiln {

struct CompareOptions {
  /// How far an element may be from what is expected, relative to the largest finite magnitude of
  /// the expected tensor. By default by dtype: 1e-10 for float64, 1e-4 for float32, 1e-2 for
  /// float16, 5e-2 for bfloat16. Integers and booleans have to be equal, and so do infinities and
  /// NaN.
  std::optional<double> tolerance{};
  /// The types of the arguments, as `compile` takes them, with names for dims; without them those
  /// of the inputs, with their sizes as numbers.
  std::vector<TensorType> types{};
  /// How the code is compiled that is compared.
  CompileOptions compile{};
  Where where = Where::current();
};

/// What `compare` found. Converts to whether all is equal.
struct Comparison {
  bool equal = true;
  /// The first operation whose compiled result differs ("matmul"), and where it was written
  /// ("net.cpp:42"). Empty if all is equal.
  std::string op, location;
  /// Between `expected` and `got`; infinite where one is NaN or infinite and the other is not. If
  /// all is equal: the largest of all outputs.
  double maxDifference = 0;
  /// What the interpreter computes for the operation, and what the compiled code does.
  Tensor expected, got;
  /// The operation and its operands' contents as IR, what `kiln-opt --kiln-interpret` reads;
  /// comments above it say what was found. Where it does not fail alone: with the operations below
  /// it.
  std::string ir;

  explicit operator bool() const { return equal; }
  /// Writes `ir`. Errors: IoError.
  void writeIr(const std::string &path) const;
};

/// `equal (largest difference 1.2e-07)`, or
/// `gelu differs by 0.5 (at net.cpp:42): expected Tensor(…), got Tensor(…)`.
std::ostream &operator<<(std::ostream &os, const Comparison &comparison);

namespace detail {

/// The first input, and where the call was written.
struct FirstInput {
  FirstInput(const Tensor &tensor, Where where = Where::current()) : tensor(tensor), where(where) {}
  const Tensor &tensor;
  Where where;
};

constexpr std::size_t maxCompared = 8; // arguments of a module

Comparison compareTraced(const std::vector<Tensor> &inputs, const NamedTensors &parameters,
                         const std::string &name, const CompareOptions &options,
                         const TraceBody &body);
[[noreturn]] void refuseInputs(const std::string &name, std::size_t count,
                               const CompareOptions &options);

template <class Self, std::size_t... I> constexpr bool takesTensors(std::index_sequence<I...>) {
  return requires(Self &self, const Tensor *x) { self(x[I]...); };
}

template <std::size_t N, class Self>
Comparison compareModule(Self &self, const std::vector<Tensor> &inputs,
                         const CompareOptions &options) {
  if constexpr (N > maxCompared) {
    refuseInputs(self.ref().typeName(), inputs.size(), options);
  } else {
    if constexpr (takesTensors<Self>(std::make_index_sequence<N>()))
      if (inputs.size() == N)
        return compareTraced(inputs, self.parameters(), self.ref().typeName(), options,
                             [&](const Tensor *x) {
                               return [&]<std::size_t... I>(std::index_sequence<I...>) {
                                 using Result = std::remove_cvref_t<decltype(self(x[I]...))>;
                                 return ResultTraits<Result>::flatten(self(x[I]...));
                               }(std::make_index_sequence<N>());
                             });
    return compareModule<N + 1>(self, inputs, options);
  }
}

} // namespace detail

/// Runs a module through the interpreter, which is the meaning of operations and slow, and through
/// the code that `compile` makes of it, and compares the results. Where they differ, finds the
/// first operation, in the order of the program, whose value differs: each time what leads to an
/// operation is compiled as a model of its own, with all fusions. That takes a compilation for each
/// operation.
///
///   Comparison result = compare(model, {x, mask});
///   if (!result)
///     std::cout << result << result.ir;
///
/// Errors: TypeError for a number of inputs that the module does not take; whatever its operations,
/// the compiler and the kernels report, such as IndexError.
template <class M>
  requires std::is_base_of_v<nn::detail::ModuleTag, M>
Comparison compare(const M &module, const std::vector<Tensor> &inputs,
                   const CompareOptions &options = {}) {
  return detail::compareModule<0>(const_cast<M &>(module), inputs, options);
}
template <class M, std::same_as<Tensor>... Rest>
  requires std::is_base_of_v<nn::detail::ModuleTag, M>
Comparison compare(const M &module, const detail::FirstInput &first, const Rest &...rest) {
  return compare(module, std::vector<Tensor>{first.tensor, rest...},
                 CompareOptions{.where = first.where});
}

/// A graph likewise.
Comparison compare(const Graph &graph, const std::vector<Tensor> &inputs,
                   const CompareOptions &options = {});
template <std::same_as<Tensor>... Rest>
Comparison compare(const Graph &graph, const detail::FirstInput &first, const Rest &...rest) {
  return compare(graph, std::vector<Tensor>{first.tensor, rest...},
                 CompareOptions{.where = first.where});
}

} // namespace kiln
