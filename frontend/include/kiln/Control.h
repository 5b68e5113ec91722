#pragma once

#include "kiln/Ops.h"

#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Branches and loops whose course depends on the contents of tensors.
namespace kiln {

namespace detail {

/// Whether a graph is being recorded: a module is compiled, or a Graph entered.
bool isRecording();
/// Errors: TypeError unless `predicate` is a boolean with one element, DeviceError unless it is on
/// a CPU; TypeError while a graph is recorded, which says what to do.
bool readPredicate(const Tensor &predicate, const char *operation, Where where);
void checkPredicate(const Tensor &predicate, const char *operation, Where where);
Tensor selectBranch(const Tensor &predicate, const Tensor &x, const Tensor &y, Where where);
[[noreturn]] void throwBranchWithoutResult(Where where);
[[noreturn]] void throwBranchSizes(std::size_t x, std::size_t y, Where where);

inline Tensor selectBranches(const Tensor &predicate, const Tensor &x, const Tensor &y,
                             Where where) {
  return selectBranch(predicate, x, y, where);
}
inline std::vector<Tensor> selectBranches(const Tensor &predicate, const std::vector<Tensor> &x,
                                          const std::vector<Tensor> &y, Where where) {
  if (x.size() != y.size())
    throwBranchSizes(x.size(), y.size(), where);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < x.size(); ++i)
    result.push_back(selectBranch(predicate, x[i], y[i], where));
  return result;
}
template <class... Ts>
std::tuple<Ts...> selectBranches(const Tensor &predicate, const std::tuple<Ts...> &x,
                                 const std::tuple<Ts...> &y, Where where) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple<Ts...>{selectBranch(predicate, std::get<I>(x), std::get<I>(y), where)...};
  }(std::index_sequence_for<Ts...>());
}

} // namespace detail

/// What one of two functions returns: a tensor, a vector or tuple of them, or nothing. Reads the
/// predicate, a boolean with one element, and calls the one that it chooses. Where a graph is
/// recorded the predicate is not known: both are recorded, run every time, and the results that it
/// chooses are selected; they must have equal dtypes and broadcast to one shape, and functions
/// without a result are a TypeError.
template <class Then, class Else>
auto cond(const Tensor &predicate, Then &&thenBranch, Else &&elseBranch,
          Where where = Where::current()) {
  using Result = std::invoke_result_t<Then>;
  static_assert(std::is_same_v<Result, std::invoke_result_t<Else>>,
                "both branches return the same type");
  if (!detail::isRecording()) {
    if (detail::readPredicate(predicate, "cond", where))
      return std::forward<Then>(thenBranch)();
    return std::forward<Else>(elseBranch)();
  }
  if constexpr (std::is_void_v<Result>) {
    detail::throwBranchWithoutResult(where);
  } else {
    detail::checkPredicate(predicate, "cond", where);
    Result x = std::forward<Then>(thenBranch)();
    return detail::selectBranches(predicate, x, std::forward<Else>(elseBranch)(), where);
  }
}

/// `while (predicate(state)) state = body(state)`, of one tensor. Reads the predicate in each
/// round. Errors: TypeError where a graph is recorded: a compiled model has no loops of unknown
/// length.
template <class Predicate, class Body>
Tensor whileLoop(Tensor initial, Predicate &&predicate, Body &&body,
                 Where where = Where::current()) {
  while (detail::readPredicate(predicate(std::as_const(initial)), "whileLoop", where))
    initial = body(std::as_const(initial));
  return initial;
}

/// Of several: `whileLoop(std::tuple{x, y}, [](auto &x, auto &y) {…}, [](auto &x, auto &y) { return
/// std::tuple{x + 1, y + 2}; })`.
template <class... Ts, class Predicate, class Body>
std::tuple<Ts...> whileLoop(std::tuple<Ts...> initial, Predicate &&predicate, Body &&body,
                            Where where = Where::current()) {
  while (detail::readPredicate(std::apply(predicate, std::as_const(initial)), "whileLoop", where))
    initial = std::apply(body, std::as_const(initial));
  return initial;
}

} // namespace kiln
