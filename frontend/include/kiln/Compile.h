#pragma once

#include "kiln/Precision.h"
#include "kiln/State.h"
#include "kiln/Stats.h"
#include "kiln/Tensor.h"

#include <array>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace kiln {

struct CompileOptions {
  /// What every call must satisfy: `Dim("batch").between(1, 1024)`, `Dim("seq").multipleOf(8)`.
  std::vector<Constraint> constraints{};
  /// Of a module: the weights to compile with, by the names of its parameters, in the place of what
  /// it has; its own are neither read nor changed. A map, an opened file, a list; names that no
  /// parameter has are left. Errors: KeyError for a parameter that is missing, ValueError
  /// ("not assignable") for another shape or dtype.
  nn::StateSource weights{};
  /// Converts weights between float32 and bfloat16, with one warning.
  bool autoCast = false;
  /// "native", or a named set of CPU features, such as "x86-64-v3".
  std::string target = "native";
  /// Names of passes that are switched off: "kiln-fuse-epilogue", …
  std::vector<std::string> disabledPasses{};
  /// Of products of float32. Anything but `highest` gives results that are less exact, and only
  /// where that is faster on the target.
  Precision precision = Precision::highest;
  /// Whether products with packed weights (kiln/Quantization.h) round their left operand to int8,
  /// 32 numbers with one scale, at any number of rows: faster, and less exact. The error of a
  /// result is at most the sum of |weight| * (largest |x| of its 32) / 254 over its row. Where x is
  /// not finite nothing is rounded. Accelerators round nothing.
  bool quantizedActivations = false;
  /// Whether each definition of a `subgraph` is compiled once; else its operations as any others.
  bool subgraphs = true;
  /// Where rows of a table are gathered and go through products with weights (then biases,
  /// activations, norms), makes that of the whole table once, when the model is compiled: a call
  /// then only fetches rows. Takes the memory of the tables that this makes (stats().foldedBytes)
  /// and the time (foldSeconds). Results are the same, bit for bit.
  bool foldTables = false;
  /// Threads of a call, at most, the calling one among them; 0: threadCount(). No part of the
  /// cache's key. Errors: ValueError outside [0, 1024].
  int64_t threads = 0;
  /// If not empty: a folder that gets the IR after every phase, and a page `index.html` that shows
  /// two of them side by side, where the model is compiled and not
  /// found in a cache. No part of the cache's key. Errors: IoError if it cannot be written.
  std::string dumpDir{};
  /// Where the options were written, for the errors of `compile`.
  Where where = Where::current();
};

struct ExportOptions {
  /// The targets to have code for in the object, as CompileOptions::target names them; it takes the
  /// best that the CPU and the system can run, when it is opened. None: that of the model.
  std::vector<std::string> targets{};
  Where where = Where::current();
};

/// Names of an artifact's kernels; as a number, how many there are.
struct KernelNames : std::vector<std::string> {
  using std::vector<std::string>::vector;
  operator int64_t() const { return static_cast<int64_t>(size()); }
};
inline std::ostream &operator<<(std::ostream &os, const KernelNames &names) {
  return os << names.size();
}

struct CompileStats {
  double traceSeconds = 0;
  double compileSeconds = 0; // 0 on a hit of the cache
  double loadSeconds = 0;    // making the artifact callable, packing weights included
  /// What made up compileSeconds: reading the cache and waiting for others apart.
  std::vector<PhaseTime> phases;
  KernelNames kernels;
  int64_t subgraphs = 0;     // definitions of subgraphs: what differs in more than its operands
  int64_t subgraphCalls = 0; // calls of them
  int64_t foldedTables = 0;  // CompileOptions::foldTables: how many were made,
  int64_t foldedBytes = 0;   // what they hold,
  double foldSeconds = 0;    // and how long that took; a part of loadSeconds
  CacheHit cacheHit = CacheHit::none;
  std::string missReason; // empty on a hit
};

namespace detail {

struct CompiledState; // frontend/CompiledState.h

/// Results that a traced function may have: a tensor, and tuples, pairs, arrays and vectors of
/// tensors.
template <class Result> struct ResultTraits;
template <class Result>
concept IsResult = requires(const Result &result) { ResultTraits<Result>::flatten(result); };
template <> struct ResultTraits<Tensor> {
  static constexpr std::size_t count = 1;
  static std::vector<Tensor> flatten(const Tensor &result) { return {result}; }
  static Tensor build(Tensor *tensors, std::size_t) { return std::move(tensors[0]); }
};
template <class Tuple, std::size_t N> struct TupleTraits {
  static constexpr std::size_t count = N;
  static std::vector<Tensor> flatten(const Tuple &result) {
    return std::apply([](const auto &...tensors) { return std::vector<Tensor>{tensors...}; },
                      result);
  }
  static Tuple build(Tensor *tensors, std::size_t) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return Tuple{std::move(tensors[I])...};
    }(std::make_index_sequence<N>());
  }
};
template <std::same_as<Tensor>... T>
struct ResultTraits<std::tuple<T...>> : TupleTraits<std::tuple<T...>, sizeof...(T)> {};
template <>
struct ResultTraits<std::pair<Tensor, Tensor>> : TupleTraits<std::pair<Tensor, Tensor>, 2> {};
template <std::size_t N>
struct ResultTraits<std::array<Tensor, N>> : TupleTraits<std::array<Tensor, N>, N> {};
template <> struct ResultTraits<std::vector<Tensor>> {
  static constexpr std::size_t count = 0; // known after tracing
  static std::vector<Tensor> flatten(const std::vector<Tensor> &result) { return result; }
  static std::vector<Tensor> build(Tensor *tensors, std::size_t number) {
    return {std::make_move_iterator(tensors), std::make_move_iterator(tensors + number)};
  }
};

using TraceBody = std::function<std::vector<Tensor>(const Tensor *arguments)>;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

std::shared_ptr<const CompiledState>
traceAndCompile(const std::vector<TensorType> &types, const NamedTensors &parameters,
                const std::string &name, const CompileOptions &options, const TraceBody &body);
std::size_t numResults(const CompiledState &state);
void callCompiled(const CompiledState &state, const Tensor *const *arguments, Tensor *results,
                  const std::source_location &where);
CompileStats compiledStats(const CompiledState &state);
std::string compiledIr(const CompiledState &state, const std::string &stage,
                       const std::source_location &where);
void exportCompiled(const CompiledState &state, const std::string &path, const std::string &name,
                    const std::vector<std::string> &targets, const std::source_location &where);

template <std::size_t> using Argument = const Tensor &;

/// The first type that `compile` is given, and where it was called.
struct FirstType {
  FirstType(const TensorType &type, Where where = Where::current()) : type(type), where(where) {}
  const TensorType &type;
  Where where;
};

} // namespace detail

template <class Result, class Indices> class CompiledFunction;

/// A compiled model: called like the module that it came from. One artifact serves every size of a
/// named dim. May be called from many threads at once; copies share the artifact.
/// It keeps the parameters that the module had when it was compiled, and outlives the module. After
/// loading others into the module, compile it again: that finds the code in the cache.
/// Errors of a call: ValueError that names the argument, the dim, what was expected and what came;
/// whatever the kernels report, such as IndexError.
template <class Result, std::size_t... I>
class CompiledFunction<Result, std::index_sequence<I...>> {
public:
  explicit CompiledFunction(std::shared_ptr<const detail::CompiledState> state)
      : state(std::move(state)) {}

  Result operator()(detail::Argument<I>... x,
                    std::source_location where = std::source_location::current()) const {
    const Tensor *const arguments[] = {&x..., nullptr};
    using Traits = detail::ResultTraits<Result>;
    if constexpr (Traits::count > 0) {
      Tensor results[Traits::count];
      detail::callCompiled(*state, arguments, results, where);
      return Traits::build(results, Traits::count);
    } else {
      std::vector<Tensor> results(detail::numResults(*state));
      detail::callCompiled(*state, arguments, results.data(), where);
      return Traits::build(results.data(), results.size());
    }
  }

  CompileStats stats() const { return detail::compiledStats(*state); }
  /// The text of the IR after a named stage. Errors: KeyError that lists the stages there are.
  std::string ir(const std::string &stage, Where where = Where::current()) const {
    return detail::compiledIr(*state, stage, where);
  }

  /// Writes the model for programs without Kiln: the object `path`, and beside it `name`.h, a C
  /// header that says how to call it, and `name`.weights, the weights as the code reads them. A C
  /// program needs nothing else but libc, libm and libpthread; one object serves all sizes. For
  /// the CPU that the model was compiled for (CompileOptions::target). See docs/deploy.md.
  /// Errors: ValueError for a name that C does not take; CompileError for a model that runs on
  /// several devices; IoError.
  void exportObject(const std::string &path, const std::string &name,
                    Where where = Where::current()) const {
    detail::exportCompiled(*state, path, name, {}, where);
  }
  /// The same with code for several targets. Further errors: ValueError for an unknown target;
  /// CompileError where weights are there only rounded, and another target wants them otherwise.
  void exportObject(const std::string &path, const std::string &name,
                    const ExportOptions &options) const {
    detail::exportCompiled(*state, path, name, options.targets, options.where);
  }

private:
  std::shared_ptr<const detail::CompiledState> state;
};

template <class Result, std::size_t numArguments>
using CompiledModel = CompiledFunction<Result, std::make_index_sequence<numArguments>>;

namespace detail {

template <class Result, std::size_t numArguments, class Body>
CompiledModel<Result, numArguments>
compileModel(const std::vector<TensorType> &types, const NamedTensors &parameters,
             const std::string &name, const CompileOptions &options, Body &&body) {
  return CompiledModel<Result, numArguments>(
      traceAndCompile(types, parameters, name, options, [&](const Tensor *arguments) {
        return ResultTraits<Result>::flatten(body(arguments));
      }));
}

} // namespace detail
} // namespace kiln
