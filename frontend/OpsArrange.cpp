#include "frontend/Record.h"
#include "kiln/Defaults.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <numbers>

/// The same elements in another order or several times, and small operations made of others.
namespace kiln {

using detail::Call;

Tensor flip(const Tensor &x, const std::vector<int64_t> &axes, Where where) {
  Call call("flip", where);
  int64_t rank = call.type(x).rank();
  std::vector<bool> seen(static_cast<std::size_t>(rank));
  Tensor result = x;
  for (int64_t given : axes) {
    int64_t axis = call.axis(given, rank);
    if (seen[static_cast<std::size_t>(axis)])
      call.fail(ErrorKind::value, fmt::format("axis {} is given twice", axis));
    seen[static_cast<std::size_t>(axis)] = true;
    result = call.reverse(result, axis);
  }
  return result;
}

Tensor repeat(const Tensor &x, const std::vector<int64_t> &repeats, Where where) {
  Call call("repeat", where);
  std::vector<Dim> dims = call.type(x).shape.vec();
  if (repeats.size() < dims.size())
    call.fail(ErrorKind::value, fmt::format("{} repeats for {}: there must be one for each axis",
                                            repeats.size(), x.type().str()));
  auto added = static_cast<int64_t>(repeats.size() - dims.size());
  std::vector<int64_t> targets;
  for (int64_t i = 0; i < x.rank(); ++i)
    targets.push_back(i + added);
  dims.insert(dims.begin(), static_cast<std::size_t>(added), Dim(1));
  return tile(call.joinAxes(x, Shape(std::move(dims)), targets), repeats, where);
}

Tensor unflatten(const Tensor &x, int64_t axis, const Shape &sizes, Where where) {
  Call call("unflatten", where);
  const Shape shape = call.type(x).shape;
  axis = call.axis(axis, shape.rank());
  auto isInferred = [](const Dim &dim) { return dim.isStatic() && dim.value() == -1; };
  std::vector<Dim> parts = sizes.vec();
  Dim known = 1;
  for (const Dim &part : parts)
    if (!isInferred(part))
      known = known * part;
  if (std::count_if(parts.begin(), parts.end(), isInferred) > 1)
    call.fail(ErrorKind::value, "only one dimension can be -1");
  for (Dim &part : parts)
    if (isInferred(part)) {
      if (known == Dim(0))
        call.fail(ErrorKind::value, "cannot infer -1 dimension when another dimension is 0");
      part = shape[axis] / known;
      known = known * part;
    }
  if (known != shape[axis])
    call.fail(ErrorKind::value, fmt::format("sizes {} do not make up axis {} of {}", sizes.str(),
                                            axis, x.type().str()));
  std::vector<Dim> dims(shape.begin(), shape.begin() + axis);
  dims.insert(dims.end(), parts.begin(), parts.end());
  dims.insert(dims.end(), shape.begin() + axis + 1, shape.end());
  return call.reshape(x, Shape(std::move(dims)));
}

std::vector<Tensor> unbind(const Tensor &x, int64_t axis, Where where) {
  Call call("unbind", where);
  axis = call.axis(axis, call.type(x).rank());
  const Dim &size = x.shape()[axis];
  if (!size.isStatic())
    call.fail(ErrorKind::type,
              fmt::format("the size of axis {} is symbolic: x {}", axis, x.type().str()));
  std::vector<Index> index(static_cast<std::size_t>(axis), Slice());
  index.emplace_back(0);
  std::vector<Tensor> entries;
  for (int64_t i = 0; i < size.value(); ++i) {
    index.back() = Index(i);
    entries.push_back(x.slice(index, where));
  }
  return entries;
}

Tensor complexMul(const Tensor &x, const Tensor &y, Where where) {
  Call call("complexMul", where);
  for (const Tensor *operand : {&x, &y})
    if (const TensorType &type = call.type(*operand); !type.rank() || type.shape[-1] != Dim(2))
      call.fail(
          ErrorKind::value,
          fmt::format("the last dim must be 2, the real and the imaginary part: {}", type.str()));
  auto part = [&](const Tensor &of, int64_t which) {
    return of.slice({ellipsis, Slice(which, which + 1)}, where);
  };
  Tensor a = part(x, 0), b = part(x, 1), c = part(y, 0), d = part(y, 1);
  auto mul = [&](const Tensor &first, const Tensor &second) {
    return call.binary("mul", Operand(first, where), Operand(second, where));
  };
  Tensor real = call.record("sub", {mul(a, c), mul(b, d)});
  Tensor imaginary = call.record("add", {mul(a, d), mul(b, c)});
  return call.record("concat", {real, imaginary}, {{"axis", real.rank() - 1}});
}

Tensor hannWindow(int64_t length, bool periodic, std::optional<DType> dtype,
                  std::optional<Device> device, Where where) {
  Call call("hannWindow", where);
  if (length < 0)
    call.fail(ErrorKind::value, fmt::format("a negative length: {}", length));
  DType result = dtype.value_or(defaults().first);
  if (!isFloat(result))
    call.fail(ErrorKind::type, fmt::format("the dtype must be a float, not {}", name(result)));
  if (length == 1)
    return Tensor::ones({1}, result, device, where);
  // In float64: an angle of many turns' parts would lose digits in a narrow type.
  auto period = static_cast<double>(std::max<int64_t>(1, periodic ? length : length - 1));
  Tensor step = Tensor::arange(0, length, 1, DType::float64, device, where);
  auto number = [&](double value) { return call.scalar(value, DType::float64, step.device()); };
  Tensor angle = call.record("mul", {step, number(2 * std::numbers::pi / period)});
  Tensor wave = call.record("mul", {number(0.5), call.record("cos", {angle})});
  return call.cast(call.record("sub", {number(0.5), wave}), result);
}

Tensor Tensor::swapaxes(int64_t axis0, int64_t axis1, Where where) const {
  Call("swapaxes", where).type(*this);
  return transpose(axis0, axis1, where);
}
Tensor Tensor::flip(const std::vector<int64_t> &axes, Where where) const {
  return kiln::flip(*this, axes, where);
}
Tensor Tensor::repeat(const std::vector<int64_t> &repeats, Where where) const {
  return kiln::repeat(*this, repeats, where);
}
Tensor Tensor::repeatInterleave(int64_t repeats, int64_t axis, Where where) const {
  return kiln::repeatInterleave(*this, repeats, axis, where);
}
Tensor Tensor::unflatten(int64_t axis, const Shape &sizes, Where where) const {
  return kiln::unflatten(*this, axis, sizes, where);
}
std::vector<Tensor> Tensor::unbind(int64_t axis, Where where) const {
  return kiln::unbind(*this, axis, where);
}
Tensor Tensor::clamp(std::optional<Scalar> low, std::optional<Scalar> high, Where where) const {
  return kiln::clamp(*this, low, high, where);
}
Tensor Tensor::maskedFill(const Tensor &mask, Scalar value, Where where) const {
  return kiln::maskedFill(*this, mask, value, where);
}

} // namespace kiln
