#include "frontend/Slice.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

/// Tensors cut into parts, and made of others one behind the other.
namespace kiln {

using detail::Call;

namespace {

int64_t staticSize(const Call &call, const Tensor &x, int64_t axis) {
  const Dim &size = x.shape()[axis];
  if (!size.isStatic())
    call.fail(ErrorKind::type,
              fmt::format("the size of axis {} is symbolic: x {}", axis, x.type().str()));
  return size.value();
}

Tensor concatAs(const Call &call, const std::vector<Tensor> &tensors, int64_t axis) {
  DType dtype = call.type(tensors.front()).dtype;
  for (const Tensor &x : tensors)
    dtype = call.promote(dtype, call.type(x).dtype);
  std::vector<Tensor> operands;
  for (const Tensor &x : tensors)
    operands.push_back(call.cast(x, dtype));
  return operands.size() == 1 ? operands.front()
                              : call.record("concat", operands, {{"axis", axis}});
}

} // namespace

std::vector<Tensor> split(const Tensor &x, const std::vector<int64_t> &sizes, int64_t axis,
                          Where where) {
  Call call("split", where);
  axis = call.axis(axis, call.type(x));
  int64_t size = staticSize(call, x, axis), start = 0;
  bool isRight = true;
  for (int64_t part : sizes) {
    isRight = isRight && part >= 0 && part <= size - start;
    start += isRight ? part : 0;
  }
  if (!isRight || start != size)
    call.fail(ErrorKind::value,
              fmt::format("the sizes of the parts, [{}], do not add up to {}, the "
                          "size of axis {}: x {}",
                          fmt::join(sizes, ", "), size, axis, x.type().str()));
  std::vector<Tensor> parts;
  start = 0;
  for (int64_t part : sizes) {
    parts.push_back(sliceAxis(call, x, axis, start, start + part));
    start += part;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor &x, int64_t size, int64_t axis, Where where) {
  Call call("split", where);
  axis = call.axis(axis, call.type(x));
  if (size < 1)
    call.fail(ErrorKind::value, fmt::format("the size of a part must be positive, got {}", size));
  int64_t total = staticSize(call, x, axis);
  std::vector<int64_t> sizes;
  for (int64_t start = 0; start < total; start += size)
    sizes.push_back(std::min(size, total - start));
  return sizes.empty() ? std::vector<Tensor>{x} : split(x, sizes, axis, where);
}

std::vector<Tensor> chunk(const Tensor &x, int64_t count, int64_t axis, Where where) {
  Call call("chunk", where);
  axis = call.axis(axis, call.type(x));
  if (count < 1)
    call.fail(ErrorKind::value, fmt::format("the number of parts must be positive, got {}", count));
  int64_t total = staticSize(call, x, axis);
  if (total == 0) // as in PyTorch
    return std::vector<Tensor>(static_cast<std::size_t>(count), x);
  return split(x, std::max<int64_t>(1, (total + count - 1) / count), axis, where);
}

Tensor concat(const std::vector<Tensor> &tensors, int64_t axis, Where where) {
  Call call("concat", where);
  if (tensors.empty())
    call.fail(ErrorKind::value, "needs at least one tensor");
  return concatAs(call, tensors, call.axis(axis, call.type(tensors.front())));
}

Tensor stack(const std::vector<Tensor> &tensors, int64_t axis, Where where) {
  Call call("stack", where);
  if (tensors.empty())
    call.fail(ErrorKind::value, "needs at least one tensor");
  const TensorType &first = call.type(tensors.front());
  axis = call.axis(axis, first.rank() + 1);
  std::vector<Tensor> entries;
  for (const Tensor &x : tensors) {
    if (call.type(x).shape != first.shape)
      call.fail(ErrorKind::value,
                fmt::format("shapes differ: {} and {}", first.str(), x.type().str()));
    entries.push_back(x.unsqueeze(axis, where));
  }
  return concatAs(call, entries, axis);
}

Tensor tile(const Tensor &x, const std::vector<int64_t> &repeats, Where where) {
  Call call("tile", where);
  const Shape shape = call.type(x).shape;
  if (static_cast<int64_t>(repeats.size()) != shape.rank())
    call.fail(ErrorKind::value, fmt::format("{} repeats for the {} axes of x {}", repeats.size(),
                                            shape.rank(), x.type().str()));
  std::vector<Dim> spread, wide, result;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    const Dim &size = shape[static_cast<int64_t>(i)];
    if (repeats[i] < 0)
      call.fail(ErrorKind::value, fmt::format("a negative number of repeats: {}", repeats[i]));
    spread.insert(spread.end(), {Dim(1), size});
    wide.insert(wide.end(), {Dim(repeats[i]), size});
    result.push_back(call.dims([&] { return size * Dim(repeats[i]); }));
  }
  Tensor rows = call.reshape(x, Shape(std::move(spread)));
  return call.reshape(call.broadcastTo(rows, Shape(std::move(wide))), Shape(std::move(result)));
}

Tensor repeatInterleave(const Tensor &x, int64_t repeats, int64_t axis, Where where) {
  Call call("repeatInterleave", where);
  if (repeats < 0)
    call.fail(ErrorKind::value, fmt::format("a negative number of repeats: {}", repeats));
  axis = call.axis(axis, call.type(x));
  std::vector<Dim> spread = x.shape().vec();
  spread.insert(spread.begin() + axis + 1, Dim(1));
  std::vector<Dim> wide = spread, result = x.shape().vec();
  wide[static_cast<std::size_t>(axis) + 1] = Dim(repeats);
  result[static_cast<std::size_t>(axis)] =
      call.dims([&] { return x.shape()[axis] * Dim(repeats); });
  Tensor rows = call.reshape(x, Shape(std::move(spread)));
  return call.reshape(call.broadcastTo(rows, Shape(std::move(wide))), Shape(std::move(result)));
}

std::vector<Tensor> Tensor::split(int64_t size, int64_t axis, Where where) const {
  return kiln::split(*this, size, axis, where);
}
std::vector<Tensor> Tensor::split(const std::vector<int64_t> &sizes, int64_t axis,
                                  Where where) const {
  return kiln::split(*this, sizes, axis, where);
}
std::vector<Tensor> Tensor::chunk(int64_t count, int64_t axis, Where where) const {
  return kiln::chunk(*this, count, axis, where);
}

} // namespace kiln
