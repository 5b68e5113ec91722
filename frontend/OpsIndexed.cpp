#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

/// Reading and writing at places that other tensors say.
namespace kiln {

using detail::Call;

namespace {

/// Indices [..., k] of the first k axes of a tensor as places in these axes joined to one.
struct JoinedIndex {
  Tensor places; // [...]
  Dim joined;    // the product of the k sizes
  int64_t depth; // k
};

JoinedIndex joinIndex(const Call &call, const TensorType &type, std::string_view name,
                      const Tensor &indices) {
  const TensorType &given = call.type(indices);
  if (!isInteger(given.dtype))
    call.fail(ErrorKind::value,
              fmt::format("the indices must be integers: indices {}", given.str()));
  if (given.rank() < 1 || !given.shape[-1].isStatic())
    call.fail(ErrorKind::value,
              fmt::format("the last dim of the indices must be a number: indices {}", given.str()));
  int64_t depth = given.shape[-1].value();
  if (depth < 1 || depth > type.rank())
    call.fail(ErrorKind::value, fmt::format("the last dim of the indices must be from 1 to the "
                                            "rank of {}: indices {}, {} {}",
                                            name, given.str(), name, type.str()));
  if (depth == 1)
    return {indices.slice({ellipsis, 0}, call.where), type.shape[0], depth};
  Tensor flat;
  Dim joined = 1;
  for (int64_t axis = 0; axis < depth; ++axis) {
    Dim size = type.shape[axis];
    // A flat index would hide one that is outside: looking each up among its axis's positions
    // checks it, and names it.
    Tensor positions = Tensor::arange(0, size, 1, DType::int64, type.device, call.where);
    Tensor index = call.record("gather", {positions, indices.slice({ellipsis, axis}, call.where)},
                               {{"axis", int64_t{0}}});
    if (axis > 0) {
      Tensor extent = size.isStatic() ? call.scalar(size.value(), DType::int64, type.device)
                                      : call.sizeOf(size, type.device);
      index = call.record("add", {call.record("mul", {flat, extent}), index});
    }
    flat = index;
    joined = joined * size;
  }
  return {flat, joined, depth};
}

/// `first`, then the dims of `shape` from axis `from` on.
Shape withTail(const Dim &first, const Shape &shape, int64_t from) {
  std::vector<Dim> dims = {first};
  dims.insert(dims.end(), shape.begin() + from, shape.end());
  return Shape(std::move(dims));
}

Tensor scatterAlongAxis(std::string_view name, const char *reduction, const Tensor &x,
                        const Tensor &updates, const Tensor &indices, int64_t axis, Where where) {
  Call call(name, where);
  return call.record(
      "scatter_elements", {x, indices, updates},
      {{"axis", call.axis(axis, call.type(x))}, {"reduction", std::string(reduction)}});
}

Tensor scatterSlices(std::string_view name, const char *reduction, const Tensor &x,
                     const Tensor &updates, const Tensor &indices, Where where) {
  Call call(name, where);
  const TensorType type = call.type(x), given = call.type(updates);
  JoinedIndex index = joinIndex(call, type, "x", indices);
  const Shape &places = index.places.shape();
  std::vector<Dim> expected = places.vec();
  expected.insert(expected.end(), type.shape.begin() + index.depth, type.shape.end());
  if (given.shape != Shape(expected))
    call.fail(ErrorKind::value,
              fmt::format("expected updates of shape {}: x {}, indices {}, updates {}",
                          Shape(expected).str(), type.str(), call.type(indices).str(),
                          given.str()));
  Dim count = places.numElements();
  Tensor result = call.record("scatter",
                              {call.reshape(x, withTail(index.joined, type.shape, index.depth)),
                               call.reshape(index.places, Shape{count}),
                               call.reshape(updates, withTail(count, type.shape, index.depth))},
                              {{"reduction", std::string(reduction)}});
  return call.reshape(result, type.shape);
}

} // namespace

Tensor gatherNd(const Tensor &table, const Tensor &indices, Where where) {
  Call call("gatherNd", where);
  const TensorType &type = call.type(table);
  JoinedIndex index = joinIndex(call, type, "the table", indices);
  Tensor rows = call.reshape(table, withTail(index.joined, type.shape, index.depth));
  return call.record("gather", {rows, index.places}, {{"axis", int64_t{0}}});
}

Tensor takeAlongAxis(const Tensor &x, const Tensor &indices, int64_t axis, Where where) {
  Call call("takeAlongAxis", where);
  const TensorType &type = call.type(x), &given = call.type(indices);
  axis = call.axis(axis, type.rank());
  if (given.rank() != type.rank())
    call.fail(ErrorKind::value,
              fmt::format("ranks differ: x {}, indices {}", type.str(), given.str()));
  std::vector<Dim> values = type.shape.vec(), places = given.shape.vec();
  for (std::size_t a = 0; a < values.size(); ++a) {
    if (static_cast<int64_t>(a) == axis || values[a] == places[a])
      continue;
    if (values[a] != 1 && places[a] != 1)
      call.fail(ErrorKind::value,
                fmt::format("shapes do not broadcast at axis {}: x {}, indices {}", a, type.str(),
                            given.str()));
    Dim size = values[a] == 1 ? places[a] : values[a];
    values[a] = places[a] = size;
  }
  return call.record("gather_elements",
                     {call.broadcastTo(x, Shape(std::move(values))),
                      call.broadcastTo(indices, Shape(std::move(places)))},
                     {{"axis", axis}});
}

Tensor scatter(const Tensor &x, const Tensor &updates, const Tensor &indices, int64_t axis,
               Where where) {
  return scatterAlongAxis("scatter", "none", x, updates, indices, axis, where);
}
Tensor scatterNd(const Tensor &x, const Tensor &updates, const Tensor &indices, Where where) {
  return scatterSlices("scatterNd", "none", x, updates, indices, where);
}
#define KILN_SCATTER(suffix, reduction)                                                            \
  Tensor scatter##suffix(const Tensor &x, const Tensor &updates, const Tensor &indices,            \
                         int64_t axis, Where where) {                                              \
    return scatterAlongAxis("scatter" #suffix, reduction, x, updates, indices, axis, where);       \
  }                                                                                                \
  Tensor scatterNd##suffix(const Tensor &x, const Tensor &updates, const Tensor &indices,          \
                           Where where) {                                                          \
    return scatterSlices("scatterNd" #suffix, reduction, x, updates, indices, where);              \
  }
KILN_SCATTER(Add, "add")
KILN_SCATTER(Mul, "mul")
KILN_SCATTER(Max, "max")
KILN_SCATTER(Min, "min")
#undef KILN_SCATTER

Tensor maskedScatter(const Tensor &x, const Tensor &mask, const Tensor &updates, Where where) {
  Call call("maskedScatter", where);
  call.sharesMemory = false; // x, mask and updates are of one size again and again
  const TensorType type = call.type(x), given = call.type(updates);
  if (call.type(mask).dtype != DType::boolean)
    call.fail(ErrorKind::type, fmt::format("the mask must be boolean: {}", mask.type().str()));
  if (given.dtype != type.dtype)
    call.fail(ErrorKind::type,
              fmt::format("dtypes differ: x {}, updates {}", type.str(), given.str()));
  Shape flat{type.shape.numElements()};
  Tensor chosen = call.reshape(call.broadcastTo(mask, type.shape), flat);
  // The first true element takes entry 1, and so on; the others read entry 0, which nobody sees.
  Tensor number = call.record("cumsum", {call.cast(chosen, DType::int64)},
                              {{"axis", int64_t{0}}, {"exclusive", false}, {"reverse", false}});
  Tensor entry = call.record("select", {chosen, number, call.scalar(0, DType::int64, type.device)});
  Tensor nothing =
      call.broadcastTo(call.scalar(type.dtype == DType::boolean ? Scalar(false) : Scalar(0),
                                   type.dtype, type.device),
                       Shape{1});
  Tensor entries =
      call.record("concat", {nothing, call.reshape(updates, Shape{given.shape.numElements()})},
                  {{"axis", int64_t{0}}});
  Tensor values = call.record("gather", {entries, entry}, {{"axis", int64_t{0}}});
  return call.reshape(call.record("select", {chosen, values, call.reshape(x, flat)}), type.shape);
}

Tensor nonzero(const Tensor &x, Where where) {
  Call call("nonzero", where);
  const TensorType type = call.type(x);
  // A shape that depends on the contents is no expression over dims: they are read here and now.
  auto truth = detail::contents(call.cast(x, DType::boolean), call.name, where);
  std::vector<int64_t> sizes = type.shape.sizes(), index(sizes.size()), found;
  int64_t elements = type.shape.numElements().value(), count = 0;
  const auto *values = truth->as<uint8_t>();
  for (int64_t i = 0; i < elements; ++i) {
    if (values[i]) {
      found.insert(found.end(), index.begin(), index.end());
      ++count;
    }
    for (std::size_t axis = sizes.size(); axis-- > 0;) {
      if (++index[axis] < sizes[axis])
        break;
      index[axis] = 0;
    }
  }
  return Tensor::fromData(found, Shape{Dim(count), Dim(type.rank())}, DType::int64, type.device,
                          where);
}

Tensor Tensor::nonzero(Where where) const { return kiln::nonzero(*this, where); }

} // namespace kiln
