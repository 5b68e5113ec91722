#include "frontend/Record.h"
#include "kiln/Ops.h"

/// Running totals and orders along an axis.
namespace kiln {

using detail::Call;

Tensor cumsum(const Tensor &x, int64_t axis, bool exclusive, bool reverse, Where where) {
  Call call("cumsum", where);
  bool isBoolean = call.type(x).dtype == DType::boolean; // counts, as sum does
  return call.record("cumsum", {isBoolean ? call.cast(x, DType::int64) : x},
                     {{"axis", call.axis(axis, call.type(x).rank())},
                      {"exclusive", exclusive},
                      {"reverse", reverse}});
}

/// The first `count` places of the order; no count: all of them.
static Tensor sorted(const Call &call, const Tensor &x, int64_t axis, bool descending,
                     std::optional<int64_t> count) {
  Dim size = call.type(x).shape[axis];
  return call.record(
      "argsort", {x},
      {{"axis", axis}, {"descending", descending}, {"count", Shape{count ? Dim(*count) : size}}},
      {count ? detail::sortsFirst : detail::sortsAll});
}

Tensor argsort(const Tensor &x, int64_t axis, bool descending, Where where) {
  Call call("argsort", where);
  return sorted(call, x, call.axis(axis, call.type(x).rank()), descending, {});
}

std::pair<Tensor, Tensor> topK(const Tensor &x, int64_t k, int64_t axis, Where where) {
  Call call("topK", where);
  axis = call.axis(axis, call.type(x).rank());
  Tensor indices = sorted(call, x, axis, /*descending=*/true, k);
  Tensor values = call.record("gather_elements", {x, indices}, {{"axis", axis}});
  return {std::move(values), std::move(indices)};
}

Tensor Tensor::cumsum(int64_t axis, Where where) const {
  return kiln::cumsum(*this, axis, false, false, where);
}
Tensor Tensor::argsort(int64_t axis, bool descending, Where where) const {
  return kiln::argsort(*this, axis, descending, where);
}
std::pair<Tensor, Tensor> Tensor::topK(int64_t k, int64_t axis, Where where) const {
  return kiln::topK(*this, k, axis, where);
}

} // namespace kiln
