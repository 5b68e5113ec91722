#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

/// Operations that are made of others.
namespace kiln {

using detail::Call;

Tensor pad(const Tensor &x, const std::vector<int64_t> &paddings, Scalar value, Where where) {
  Call call("pad", where);
  const TensorType type = call.type(x);
  if (static_cast<int64_t>(paddings.size()) != 2 * type.rank())
    call.fail(ErrorKind::value, fmt::format("{} paddings for {}: it takes two for each axis",
                                            paddings.size(), type.str()));
  for (int64_t padding : paddings)
    if (padding < 0)
      call.fail(ErrorKind::value, fmt::format("a negative padding: {}", padding));
  Tensor fill = call.scalar(value, type.dtype, type.device), result = x;
  for (int64_t axis = 0; axis < type.rank(); ++axis) {
    std::vector<Tensor> parts;
    auto addEdge = [&](int64_t size) {
      std::vector<Dim> dims = result.shape().vec();
      dims[static_cast<std::size_t>(axis)] = size;
      if (size > 0)
        parts.push_back(call.broadcastTo(fill, Shape(std::move(dims))));
    };
    addEdge(paddings[static_cast<std::size_t>(2 * axis)]);
    parts.push_back(result);
    addEdge(paddings[static_cast<std::size_t>(2 * axis + 1)]);
    if (parts.size() > 1)
      result = call.record("concat", parts, {{"axis", axis}});
  }
  return result;
}

Tensor bandPart(const Tensor &x, std::optional<int64_t> numLower, std::optional<int64_t> numUpper,
                bool exclude, Where where) {
  Call call("bandPart", where);
  const TensorType &type = call.type(x);
  if (type.rank() < 2)
    call.fail(ErrorKind::value, fmt::format("needs a rank of at least 2: x {}", type.str()));
  auto isBounded = [](std::optional<int64_t> count) { return count && *count >= 0; };
  Tensor row = Tensor::arange(0, type.shape[-2], 1, DType::int64, type.device, where);
  Tensor column = Tensor::arange(0, type.shape[-1], 1, DType::int64, type.device, where);
  Tensor below = call.record("sub", {row.unsqueeze(-1, where), column});
  auto limit = [&](int64_t count) { return call.scalar(count, DType::int64, type.device); };
  Tensor zero = call.scalar(type.dtype == DType::boolean ? Scalar(false) : Scalar(0), type.dtype,
                            type.device);
  std::vector<Tensor> conditions;
  if (isBounded(numLower))
    conditions.push_back(call.record("le", {below, limit(*numLower)}));
  if (isBounded(numUpper))
    conditions.push_back(call.record("ge", {below, limit(-*numUpper)}));
  if (conditions.empty())
    return exclude ? call.broadcastTo(zero, type.shape) : x;
  Tensor inside = conditions.size() == 1 ? conditions[0] : call.record("and", conditions);
  return exclude ? call.record("select", {inside, zero, x})
                 : call.record("select", {inside, x, zero});
}

} // namespace kiln
