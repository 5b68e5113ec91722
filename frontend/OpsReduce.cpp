#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>

/// Reductions. Several axes are moved behind the others, joined, and reduced once, so that a mean
/// is one of all elements and is rounded once.
namespace kiln {

using detail::Call;

namespace {

/// Of one axis, which is in range.
using Reduction = Tensor (*)(const Call &, const Tensor &, int64_t);

Tensor along(const Call &call, std::string_view op, const Tensor &x, int64_t axis) {
  return call.record(op, {x}, {{"axis", axis}});
}
/// Sums and products of booleans count, as in PyTorch.
Tensor counted(const Call &call, const Tensor &x) {
  return x.dtype() == DType::boolean ? call.cast(x, DType::int64) : x;
}
Tensor sumAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "sum", counted(call, x), axis);
}
Tensor meanAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "mean", call.toFloat(x), axis);
}
Tensor prodAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "prod", counted(call, x), axis);
}
Tensor maxAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "max", x, axis);
}
Tensor minAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "min", x, axis);
}
Tensor argmaxAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "argmax", x, axis);
}
Tensor argminAlong(const Call &call, const Tensor &x, int64_t axis) {
  return along(call, "argmin", x, axis);
}

/// Each axis of [0, rank) once, ascending. Errors: IndexError; ValueError if one comes twice.
std::vector<int64_t> sortedAxes(const Call &call, const Tensor &x,
                                const std::vector<int64_t> &axes) {
  std::vector<int64_t> result;
  for (int64_t axis : axes)
    result.push_back(call.axis(axis, call.type(x)));
  std::sort(result.begin(), result.end());
  if (auto twice = std::adjacent_find(result.begin(), result.end()); twice != result.end())
    call.fail(ErrorKind::value, fmt::format("axis {} is given twice", *twice));
  return result;
}

/// Of the flattened tensor. Shape: [1].
Tensor reduceAll(const Call &call, Reduction reduce, const Tensor &x) {
  call.type(x); // says under the caller's name that x is empty
  return reduce(call, x.flatten(0, -1, call.where), 0);
}

/// `keeps`: the reduced axes stay with size 1.
Tensor reduceAxes(const Call &call, Reduction reduce, const Tensor &x,
                  const std::vector<int64_t> &given, bool keeps) {
  std::vector<int64_t> axes = sortedAxes(call, x, given);
  if (keeps && axes.size() == 1)
    return reduce(call, x, axes.front());
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
  return call.joinAxes(reduce(call, flat, numKept), Shape(std::move(dims)), targets);
}

} // namespace

#define KILN_REDUCTION(name)                                                                       \
  Tensor name(const Tensor &x, const Axes &axes, Where where) {                                    \
    Call call(#name, where);                                                                       \
    return axes.list.empty() ? reduceAll(call, name##Along, x)                                     \
                             : reduceAxes(call, name##Along, x, axes.list, true);                  \
  }                                                                                                \
  Tensor Tensor::name(const Axes &axes, Where where) const {                                       \
    return kiln::name(*this, axes, where);                                                         \
  }
KILN_REDUCTION(sum)
KILN_REDUCTION(mean)
KILN_REDUCTION(prod)
KILN_REDUCTION(max)
KILN_REDUCTION(min)
#undef KILN_REDUCTION

#define KILN_POSITION(name)                                                                        \
  Tensor name(const Tensor &x, int64_t axis, Where where) {                                        \
    Call call(#name, where);                                                                       \
    return name##Along(call, x, call.axis(axis, call.type(x)));                                    \
  }                                                                                                \
  Tensor name(const Tensor &x, std::nullopt_t, Where where) {                                      \
    return reduceAll(Call(#name, where), name##Along, x);                                          \
  }                                                                                                \
  Tensor Tensor::name(int64_t axis, Where where) const { return kiln::name(*this, axis, where); }  \
  Tensor Tensor::name(std::nullopt_t, Where where) const {                                         \
    return kiln::name(*this, std::nullopt, where);                                                 \
  }
KILN_POSITION(argmax)
KILN_POSITION(argmin)
#undef KILN_POSITION

#define KILN_EXTREME(name, reduction)                                                              \
  Tensor name(const Tensor &x, const Axes &axes, Where where) {                                    \
    Call call(#name, where);                                                                       \
    return axes.list.empty() ? call.joinAxes(reduceAll(call, reduction##Along, x), Shape{}, {-1})  \
                             : reduceAxes(call, reduction##Along, x, axes.list, false);            \
  }                                                                                                \
  Tensor Tensor::name(const Axes &axes, Where where) const {                                       \
    return kiln::name(*this, axes, where);                                                         \
  }
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
