#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>

/// Reductions over several axes, and over all: moved behind the others, joined, and reduced once,
/// so that a mean is one of all elements and is rounded once.
namespace kiln {

using detail::Call;

namespace {

using Reduction = Tensor (*)(const Tensor &, int64_t, Where);

/// Each axis of [0, rank) once, ascending. Errors: IndexError; ValueError if one comes twice.
std::vector<int64_t> sortedAxes(const Call &call, const Tensor &x,
                                const std::vector<int64_t> &axes) {
  std::vector<int64_t> result;
  for (int64_t axis : axes)
    result.push_back(call.axis(axis, call.type(x).rank()));
  std::sort(result.begin(), result.end());
  if (auto twice = std::adjacent_find(result.begin(), result.end()); twice != result.end())
    call.fail(ErrorKind::value, fmt::format("axis {} is given twice", *twice));
  return result;
}

Tensor reduceAll(const Call &call, Reduction reduce, const Tensor &x) {
  call.type(x); // says under the caller's name that x is empty
  return reduce(x.flatten(0, -1, call.where), 0, call.where);
}

/// `keeps`: the reduced axes stay with size 1.
Tensor reduceAxes(const Call &call, Reduction reduce, const Tensor &x,
                  const std::vector<int64_t> &given, bool keeps) {
  std::vector<int64_t> axes = sortedAxes(call, x, given);
  if (axes.empty())
    return x;
  int64_t rank = x.rank(), numKept = rank - static_cast<int64_t>(axes.size());
  std::vector<int64_t> order;
  std::vector<Dim> joined, dims;
  Dim count = 1;
  for (int64_t axis = 0; axis < rank; ++axis) {
    bool isReduced = std::binary_search(axes.begin(), axes.end(), axis);
    if (isReduced)
      count = count * x.shape()[axis];
    else {
      order.push_back(axis);
      joined.push_back(x.shape()[axis]);
    }
    if (keeps || !isReduced)
      dims.push_back(isReduced ? Dim(1) : x.shape()[axis]);
  }
  order.insert(order.end(), axes.begin(), axes.end());
  joined.push_back(count);
  std::vector<int64_t> joins, targets;
  for (int64_t i = 0; i < rank; ++i)
    joins.push_back(std::min(i, numKept));
  for (int64_t i = 0; i < numKept; ++i)
    targets.push_back(keeps ? order[static_cast<std::size_t>(i)] : i);
  targets.push_back(-1);
  Tensor behind = std::is_sorted(order.begin(), order.end()) ? x : call.permute(x, order);
  Tensor flat = call.joinAxes(behind, Shape(std::move(joined)), joins);
  return call.joinAxes(reduce(flat, -1, call.where), Shape(std::move(dims)), targets);
}

} // namespace

#define KILN_REDUCTION(name)                                                                       \
  Tensor name(const Tensor &x, const std::vector<int64_t> &axes, Where where) {                    \
    Call call(#name, where);                                                                       \
    return axes.empty() ? reduceAll(call, name, x) : reduceAxes(call, name, x, axes, true);        \
  }                                                                                                \
  Tensor name(const Tensor &x, std::nullopt_t, Where where) {                                      \
    return reduceAll(Call(#name, where), name, x);                                                 \
  }                                                                                                \
  Tensor Tensor::name(const std::vector<int64_t> &axes, Where where) const {                       \
    return kiln::name(*this, axes, where);                                                         \
  }                                                                                                \
  Tensor Tensor::name(std::nullopt_t, Where where) const {                                         \
    return kiln::name(*this, std::nullopt, where);                                                 \
  }
KILN_REDUCTION(sum)
KILN_REDUCTION(mean)
KILN_REDUCTION(prod)
KILN_REDUCTION(max)
KILN_REDUCTION(min)
#undef KILN_REDUCTION

#define KILN_POSITION(name)                                                                        \
  Tensor name(const Tensor &x, std::nullopt_t, Where where) {                                      \
    return reduceAll(Call(#name, where), name, x);                                                 \
  }                                                                                                \
  Tensor Tensor::name(std::nullopt_t, Where where) const {                                         \
    return kiln::name(*this, std::nullopt, where);                                                 \
  }
KILN_POSITION(argmax)
KILN_POSITION(argmin)
#undef KILN_POSITION

#define KILN_EXTREME(name, reduction)                                                              \
  Tensor name(const Tensor &x, const std::vector<int64_t> &axes, Where where) {                    \
    Call call(#name, where);                                                                       \
    if (axes.empty())                                                                              \
      return call.joinAxes(reduceAll(call, reduction, x), Shape{}, {-1});                          \
    return reduceAxes(call, reduction, x, axes, false);                                            \
  }                                                                                                \
  Tensor name(const Tensor &x, int64_t axis, Where where) {                                        \
    return reduceAxes(Call(#name, where), reduction, x, {axis}, false);                            \
  }                                                                                                \
  Tensor Tensor::name(const std::vector<int64_t> &axes, Where where) const {                       \
    return kiln::name(*this, axes, where);                                                         \
  }                                                                                                \
  Tensor Tensor::name(int64_t axis, Where where) const { return kiln::name(*this, axis, where); }
KILN_EXTREME(amax, max)
KILN_EXTREME(amin, min)
#undef KILN_EXTREME

Tensor max(const Tensor &x, const Tensor &y, Where where) {
  return Call("max", where).binary("maximum", Operand(x, where), Operand(y, where));
}
Tensor min(const Tensor &x, const Tensor &y, Where where) {
  return Call("min", where).binary("minimum", Operand(x, where), Operand(y, where));
}

} // namespace kiln
