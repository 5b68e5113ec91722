#pragma once

#include "kiln/Compile.h"
#include "kiln/Control.h"
#include "kiln/Convolution.h"
#include "kiln/Ops.h"
#include "kiln/Subgraph.h"

#include <concepts>
#include <memory>
#include <ranges>
#include <string>
#include <vector>

namespace kiln {

namespace detail {
struct GraphState; // frontend/GraphState.h
class GraphScope;  // frontend/GraphScope.h
} // namespace detail

struct Comparison; // Compare.h
struct CompareOptions;

/// The results of one call of a compiled graph, in the order of `Graph::output`. Where there is one
/// it stands for that tensor.
class GraphResults : public std::vector<Tensor> {
public:
  using std::vector<Tensor>::vector;
  /// Errors: ValueError unless there is exactly one.
  operator const Tensor &() const;
};
std::ostream &operator<<(std::ostream &os, const GraphResults &results);

/// A compiled Graph. May be called from many threads at once; copies share the artifact.
/// Errors of a call: TypeError for a wrong number of inputs; else as of a compiled model.
class CompiledGraph {
public:
  /// One input, and where the call was written.
  struct Input {
    Input(const Tensor &tensor, Where where = Where::current()) : tensor(&tensor), where(where) {}
    Input(Where where) : where(where) {}
    const Tensor *tensor = nullptr;
    Where where;
  };

  explicit CompiledGraph(std::shared_ptr<const detail::CompiledState> state)
      : state(std::move(state)) {}

  GraphResults operator()(Input first = Where::current()) const { return call({first}); }
  template <std::same_as<Tensor>... Rest>
  GraphResults operator()(Input first, Input second, const Rest &...rest) const {
    return call({first, second, Input(rest, second.where)...});
  }
  GraphResults operator()(const std::vector<Tensor> &inputs, Where where = Where::current()) const;

  CompileStats stats() const { return detail::compiledStats(*state); }
  /// As of a compiled model.
  std::string ir(const std::string &stage, Where where = Where::current()) const {
    return detail::compiledIr(*state, stage, where);
  }

private:
  GraphResults call(std::initializer_list<Input> inputs) const;
  GraphResults run(const std::vector<const Tensor *> &inputs, Where where) const;

  std::shared_ptr<const detail::CompiledState> state;
};

/// A graph that is written down without a module:
///
///   Graph graph("double");
///   {
///     auto scope = graph.enter();
///     auto x = graph.input(TensorType(DType::float32, {"n"}));
///     graph.output(x + x);
///   }
///   auto run = graph.compile();
///   Tensor y = run(Tensor::ones({3}));
///
/// Within the scope the operations of this thread only record, and to read what is not computed yet
/// is a TypeError. Tensors from outside are weights of the graph; those made in it mean nothing
/// elsewhere: to read them, or to use them with another graph or with none, is a TypeError.
/// Scopes nest. Copies share the graph.
class Graph {
public:
  class Scope {
  public:
    explicit Scope(const std::shared_ptr<detail::GraphState> &state);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    struct Entered;
    std::unique_ptr<Entered> entered;
  };

  explicit Graph(std::string name);

  const std::string &name() const;
  /// Records until the scope ends; one thread's scopes end in reverse order.
  [[nodiscard]] Scope enter() const { return Scope(state); }
  /// The next input. Errors: ValueError for an algebraic dim.
  Tensor input(const TensorType &type, Where where = Where::current());
  /// Adds results. Errors: TypeError for a tensor of another graph.
  void output(const Tensor &result, Where where = Where::current());
  void output(const std::vector<Tensor> &results, Where where = Where::current());
  template <std::same_as<Tensor>... Rest>
    requires(sizeof...(Rest) > 0)
  void output(const Tensor &first, const Rest &...rest) {
    output(std::vector<Tensor>{first, rest...});
  }
  /// Errors: ValueError without an output; TypeError for weights; CompileError.
  CompiledGraph compile(const CompileOptions &options = {}) const;

private:
  friend Comparison compare(const Graph &graph, const std::vector<Tensor> &inputs,
                            const CompareOptions &options);
  std::shared_ptr<detail::GraphState> state;
};

/// Operations by the names that graphs know them by. All of Ops.h, and constants.
namespace ops {

using kiln::abs, kiln::allClose, kiln::amax, kiln::amin, kiln::argmax, kiln::argmin, kiln::argsort,
    kiln::atanh, kiln::attention, kiln::avgPool2d, kiln::bandPart, kiln::ceil, kiln::chunk,
    kiln::clamp, kiln::complexMul, kiln::concat, kiln::cond, kiln::conv1d, kiln::conv2d,
    kiln::conv3d, kiln::cos, kiln::cumsum, kiln::dequantize, kiln::divmod, kiln::erf, kiln::exp,
    kiln::flip, kiln::floor, kiln::floorDiv, kiln::fold, kiln::fromDim, kiln::gather,
    kiln::gatherNd, kiln::gelu, kiln::hannWindow, kiln::interpolateNearest, kiln::isFinite,
    kiln::isInf, kiln::isNan, kiln::layerNorm, kiln::log, kiln::log1p, kiln::logicalAnd,
    kiln::logicalNot, kiln::logicalOr, kiln::logicalXor, kiln::logSoftmax, kiln::maskedFill,
    kiln::maskedScatter, kiln::matmul, kiln::max, kiln::maximum, kiln::maxPool2d, kiln::mean,
    kiln::min, kiln::minimum, kiln::nonzero, kiln::outer, kiln::pad, kiln::pow, kiln::prod,
    kiln::rebind, kiln::relu, kiln::repeat, kiln::repeatInterleave, kiln::rmsNorm, kiln::round,
    kiln::rsqrt, kiln::scatter, kiln::scatterAdd, kiln::scatterMax, kiln::scatterMin,
    kiln::scatterMul, kiln::scatterNd, kiln::scatterNdAdd, kiln::scatterNdMax, kiln::scatterNdMin,
    kiln::scatterNdMul, kiln::sigmoid, kiln::silu, kiln::sin, kiln::softmax, kiln::split,
    kiln::sqrt, kiln::stack, kiln::subgraph, kiln::sum, kiln::takeAlongAxis, kiln::tanh, kiln::tile,
    kiln::topK, kiln::trunc, kiln::unbind, kiln::unflatten, kiln::where, kiln::whileLoop,
    kiln::windows;

/// `values`, row-major, in a shape. Copies. Errors: ValueError if their number is another.
template <std::ranges::contiguous_range Range>
  requires kiln::detail::Element<std::ranges::range_value_t<Range>>
Tensor constant(const Range &values, const Shape &shape, std::optional<DType> dtype = {},
                std::optional<Device> device = {}, Where where = Where::current()) {
  return Tensor::fromData(std::span(std::ranges::data(values), std::ranges::size(values)), shape,
                          dtype, device, where, "constant");
}
template <kiln::detail::Element T>
Tensor constant(std::initializer_list<T> values, const Shape &shape,
                std::optional<DType> dtype = {}, std::optional<Device> device = {},
                Where where = Where::current()) {
  return Tensor::fromData(std::span(values.begin(), values.size()), shape, dtype, device, where,
                          "constant");
}
/// A scalar.
template <kiln::detail::Element T>
Tensor constant(T value, std::optional<DType> dtype = {}, std::optional<Device> device = {},
                Where where = Where::current()) {
  return Tensor::constant(value, dtype, device, where);
}

inline Tensor add(const Operand &x, const Operand &y) { return x + y; }
inline Tensor sub(const Operand &x, const Operand &y) { return x - y; }
inline Tensor mul(const Operand &x, const Operand &y) { return x * y; }
inline Tensor div(const Operand &x, const Operand &y) { return x / y; }
inline Tensor mod(const Operand &x, const Operand &y) { return x % y; }
inline Tensor negate(const Operand &x) { return -x; }
inline Tensor equal(const Operand &x, const Operand &y) { return x == y; }
inline Tensor notEqual(const Operand &x, const Operand &y) { return x != y; }
inline Tensor greater(const Operand &x, const Operand &y) { return x > y; }
inline Tensor greaterEqual(const Operand &x, const Operand &y) { return x >= y; }
inline Tensor less(const Operand &x, const Operand &y) { return x < y; }
inline Tensor lessEqual(const Operand &x, const Operand &y) { return x <= y; }
inline Tensor cast(const Tensor &x, DType dtype, Where where = Where::current()) {
  return x.cast(dtype, where);
}
inline Tensor reshape(const Tensor &x, const Shape &shape, Where where = Where::current()) {
  return x.reshape(shape, where);
}
inline Tensor broadcastTo(const Tensor &x, const Shape &shape, Where where = Where::current()) {
  return x.broadcastTo(shape, where);
}
inline Tensor permute(const Tensor &x, const std::vector<int64_t> &axes,
                      Where where = Where::current()) {
  return x.permute(axes, where);
}
inline Tensor transpose(const Tensor &x, int64_t axis0, int64_t axis1,
                        Where where = Where::current()) {
  return x.transpose(axis0, axis1, where);
}
inline Tensor squeeze(const Tensor &x, int64_t axis, Where where = Where::current()) {
  return x.squeeze(axis, where);
}
inline Tensor unsqueeze(const Tensor &x, int64_t axis, Where where = Where::current()) {
  return x.unsqueeze(axis, where);
}
inline Tensor flatten(const Tensor &x, int64_t startAxis = 0, int64_t endAxis = -1,
                      Where where = Where::current()) {
  return x.flatten(startAxis, endAxis, where);
}
inline Tensor slice(const Tensor &x, const std::vector<Index> &index,
                    Where where = Where::current()) {
  return x.slice(index, where);
}
/// As Tensor::arange.
inline Tensor range(const Bound &start, const std::optional<Bound> &stop = {},
                    const Bound &step = 1, std::optional<DType> dtype = {},
                    std::optional<Device> device = {}, Where where = Where::current()) {
  return Tensor::arange(start, stop, step, dtype, device, where);
}

} // namespace ops
} // namespace kiln
