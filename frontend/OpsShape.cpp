#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

/// Views: other shapes of the same elements.
namespace kiln {

using detail::Call;

Tensor Tensor::permute(const std::vector<int64_t> &axes, Where where) const {
  Call call("permute", where);
  int64_t rank = call.type(*this).rank();
  std::vector<int64_t> wrapped;
  for (int64_t axis : axes)
    wrapped.push_back(axis < 0 ? axis + rank : axis);
  return call.permute(*this, std::move(wrapped));
}

Tensor Tensor::transpose(int64_t axis0, int64_t axis1, Where where) const {
  Call call("transpose", where);
  const TensorType &own = call.type(*this);
  std::vector<int64_t> axes(static_cast<std::size_t>(own.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[static_cast<std::size_t>(call.axis(axis0, own))],
            axes[static_cast<std::size_t>(call.axis(axis1, own))]);
  return call.permute(*this, std::move(axes));
}

Tensor Tensor::T(Where where) const {
  Call call("T", where);
  if (call.type(*this).rank() < 2)
    call.fail(ErrorKind::value, fmt::format("needs a rank of at least 2: x {}", type().str()));
  return transpose(-2, -1, where);
}

Tensor Tensor::reshape(const Shape &shape, Where where) const {
  Call call("reshape", where);
  const TensorType &own = call.type(*this);
  std::vector<Dim> dims = shape.vec();
  auto isInferred = [](const Dim &dim) { return dim.isStatic() && dim.value() == -1; };
  auto inferred = std::find_if(dims.begin(), dims.end(), isInferred);
  if (inferred == dims.end())
    return call.reshape(*this, shape);
  if (std::find_if(inferred + 1, dims.end(), isInferred) != dims.end())
    call.fail(ErrorKind::value,
              fmt::format("only one dimension can be -1: {} to {}", own.str(), shape.str()));
  Dim known = 1;
  for (const Dim &dim : dims)
    if (!isInferred(dim))
      known = call.dims([&] { return known * dim; });
  if (known == Dim(0))
    call.fail(ErrorKind::value,
              fmt::format("cannot infer -1 dimension when another dimension is 0: {} to {}",
                          own.str(), shape.str()));
  Dim total = own.shape.numElements();
  *inferred = total / known;
  // Where the division leaves a rest the shape rules see a product that differs.
  if (*inferred * known != total)
    call.fail(ErrorKind::value,
              fmt::format("the number of elements of x {} on {} is not {}a multiple of that of "
                          "shape {}{}",
                          own.str(), own.device.str(), total.isStatic() ? "" : "known to be ",
                          shape.str(), total.isStatic() ? "" : "; rebind x to dims that say so"));
  Shape target(dims);
  if (target == own.shape)
    return *this;
  auto hint = static_cast<uint8_t>(inferred - dims.begin() + 1);
  return call.record("reshape", {*this}, {{"shape", std::move(target)}}, {hint});
}

Tensor Tensor::broadcastTo(const Shape &shape, Where where) const {
  return Call("broadcastTo", where).broadcastTo(*this, shape);
}

Tensor Tensor::squeeze(int64_t axis, Where where) const {
  Call call("squeeze", where);
  const TensorType &own = call.type(*this);
  axis = call.axis(axis, own);
  if (own.shape[axis] != Dim(1))
    call.fail(ErrorKind::value, fmt::format("axis {} of {} is not of size 1", axis, own.str()));
  std::vector<Dim> dims = own.shape.vec();
  dims.erase(dims.begin() + axis);
  std::vector<int64_t> targets;
  for (int64_t i = 0; i < own.rank(); ++i)
    targets.push_back(i == axis ? -1 : i - (i > axis));
  return call.joinAxes(*this, Shape(std::move(dims)), targets);
}

Tensor Tensor::unsqueeze(int64_t axis, Where where) const {
  Call call("unsqueeze", where);
  std::vector<Dim> dims = call.type(*this).shape.vec();
  axis = call.axis(axis, rank() + 1);
  dims.insert(dims.begin() + axis, Dim(1));
  std::vector<int64_t> targets;
  for (int64_t i = 0; i < rank(); ++i)
    targets.push_back(i + (i >= axis));
  return call.joinAxes(*this, Shape(std::move(dims)), targets);
}

Tensor Tensor::flatten(int64_t startAxis, int64_t endAxis, Where where) const {
  Call call("flatten", where);
  const TensorType &own = call.type(*this);
  if (own.rank() == 0)
    return call.reshape(*this, Shape{1});
  int64_t start = call.axis(startAxis, own), end = call.axis(endAxis, own);
  if (start > end)
    call.fail(ErrorKind::value,
              fmt::format("start axis {} is behind end axis {}: x {}", start, end, own.str()));
  std::vector<Dim> dims(own.shape.begin(), own.shape.begin() + start);
  Dim joined = 1;
  for (int64_t axis = start; axis <= end; ++axis)
    joined = call.dims([&] { return joined * own.shape[axis]; });
  dims.push_back(joined);
  dims.insert(dims.end(), own.shape.begin() + end + 1, own.shape.end());
  std::vector<int64_t> targets;
  for (int64_t i = 0; i < own.rank(); ++i)
    targets.push_back(i < start ? i : i <= end ? start : i - (end - start));
  return call.joinAxes(*this, Shape(std::move(dims)), targets);
}

} // namespace kiln
