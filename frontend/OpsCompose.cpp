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

Tensor gatherNd(const Tensor &table, const Tensor &indices, Where where) {
  Call call("gatherNd", where);
  const TensorType &type = call.type(table), &places = call.type(indices);
  if (!isInteger(places.dtype))
    call.fail(ErrorKind::value, fmt::format("the indices must be integers: {}", places.str()));
  if (places.rank() < 1 || !places.shape[-1].isStatic())
    call.fail(ErrorKind::value,
              fmt::format("the last dim of the indices must be a number: {}", places.str()));
  int64_t depth = places.shape[-1].value();
  if (depth < 1 || depth > type.rank())
    call.fail(ErrorKind::value, fmt::format("the last dim of the indices must be from 1 to the "
                                            "rank of the table: indices {}, table {}",
                                            places.str(), type.str()));
  Tensor flat;
  Dim joined = 1;
  for (int64_t axis = 0; axis < depth; ++axis) {
    Dim size = type.shape[axis];
    Tensor index = indices.slice({ellipsis, axis}, where);
    // Of one axis the flat index is the index. Of several it would hide an index that is outside:
    // looking each up among its axis's positions checks it, and names it.
    if (depth > 1) {
      Tensor positions = Tensor::arange(0, size, 1, DType::int64, type.device, where);
      index = call.record("gather", {positions, index}, {{"axis", int64_t{0}}});
      if (axis > 0) {
        Tensor extent = size.isStatic() ? call.scalar(size.value(), DType::int64, type.device)
                                        : call.record("size", {}, {{"dim", Shape{size}}});
        flat = call.record("add", {call.record("mul", {flat, extent}), index});
      } else {
        flat = index;
      }
    } else {
      flat = index;
    }
    joined = joined * size;
  }
  std::vector<Dim> dims = {joined};
  dims.insert(dims.end(), type.shape.begin() + depth, type.shape.end());
  return call.record("gather", {call.reshape(table, Shape(std::move(dims))), flat},
                     {{"axis", int64_t{0}}});
}

} // namespace kiln
