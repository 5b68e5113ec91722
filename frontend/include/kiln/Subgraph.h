#pragma once

#include "kiln/Tensor.h"

#include <concepts>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace kiln {

namespace detail {

/// Marks what this thread records while it lives as one call of a subgraph. One within another does
/// nothing, nor does one outside of a trace.
class SubgraphScope {
public:
  SubgraphScope();
  ~SubgraphScope();
  SubgraphScope(const SubgraphScope &) = delete;
  SubgraphScope &operator=(const SubgraphScope &) = delete;

  /// The call that this thread records, or 0.
  static uint64_t current();

private:
  uint64_t outer;
};

/// What is compiled within a subgraph is no part of it.
class OutsideSubgraphs {
public:
  OutsideSubgraphs();
  ~OutsideSubgraphs();
  OutsideSubgraphs(const OutsideSubgraphs &) = delete;
  OutsideSubgraphs &operator=(const OutsideSubgraphs &) = delete;

private:
  uint64_t outer;
};

/// The first input, and where the subgraph was called.
struct SubgraphInput {
  SubgraphInput(const Tensor &tensor, Where where = Where::current())
      : tensor(tensor), where(where) {}
  const Tensor &tensor;
  Where where;
};

} // namespace detail

/// f(x...), as a part that is compiled once however often it occurs: calls that record the same
/// operations, on whatever operands, are calls of one definition, so that a model of many equal
/// layers compiles about as fast as one of few:
///
///   for (const Block &block : blocks)
///     x = subgraph(block, x);
///
/// `f` is a module, or anything else that is called with tensors; it may return what it likes, and
/// use other tensors, such as its parameters: they are operands too. What it bakes in, constants
/// for example, makes another definition. A subgraph within one is part of it. The numbers are
/// those of f(x...); fusions end at its borders. Outside of a model or graph that is being traced
/// this is f(x...) and nothing else. CompileStats says what was shared; CompileOptions::subgraphs =
/// false switches it off.
template <class F, class... Rest>
  requires std::invocable<F, const Tensor &, const Rest &...>
auto subgraph(F &&f, const detail::SubgraphInput &first, const Rest &...rest) {
  detail::SubgraphScope scope;
  if constexpr (std::invocable<F, const Tensor &, const Rest &..., Where>)
    return std::invoke(std::forward<F>(f), first.tensor, rest..., first.where);
  else
    return std::invoke(std::forward<F>(f), first.tensor, rest...);
}
template <std::invocable F> auto subgraph(F &&f) {
  detail::SubgraphScope scope;
  return std::invoke(std::forward<F>(f));
}

} // namespace kiln
