#include "frontend/Record.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

/// Views: other shapes of the same elements, and parts of them.
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

namespace {

/// The bounds of a slice of every axis, as the graph has them.
struct Ranges {
  std::vector<Dim> starts, stops;
  std::vector<int64_t> steps;
  std::vector<uint8_t> hints;

  void add(Dim start, Dim stop, int64_t step, uint8_t hint) {
    starts.push_back(std::move(start));
    stops.push_back(std::move(stop));
    steps.push_back(step);
    hints.push_back(hint);
  }
  void addFull(const Dim &size) { add(0, size, 1, detail::stopFromEnd); }
};

bool isNegative(const Dim &dim) { return dim.isStatic() && dim.value() < 0; }

void addSlice(const Call &call, const Slice &slice, const TensorType &x, Ranges &to) {
  auto axis = static_cast<int64_t>(to.starts.size());
  const Dim &size = x.shape[axis];
  if (slice.step == 0)
    call.fail(ErrorKind::value,
              fmt::format("step 0 of axis {} must not be zero: x {}", axis, x.str()));
  uint8_t hint = 0;
  Dim start = slice.start.value_or(Dim(0));
  if (isNegative(start)) {
    start = size + start;
    hint |= detail::startFromEnd;
  }
  Dim stop = slice.stop.value_or(size);
  if (isNegative(stop))
    stop = size + stop;
  if (!slice.stop || isNegative(*slice.stop))
    hint |= detail::stopFromEnd;
  to.add(std::move(start), std::move(stop), slice.step, hint);
}

/// A slice with a negative step as one of the reversed axis, where entry i has become entry
/// size - 1 - i: bounds that counted from one end count from the other.
Slice mirrored(const Call &call, const Slice &slice, const Dim &size) {
  auto mirror = [&](const Dim &bound) {
    if (bound.isStatic() && size.isStatic() && bound.value() >= size.value())
      call.fail(
          ErrorKind::value,
          fmt::format("bound {} of a slice with step {} is out of range for dimension size {}",
                      bound.str(), slice.step, size.str()));
    return isNegative(bound) ? Dim(-1) - bound : size - Dim(1) - bound;
  };
  Slice result;
  if (slice.start)
    result.start = mirror(*slice.start);
  if (slice.stop)
    result.stop = mirror(*slice.stop);
  result.step = slice.step == INT64_MIN ? INT64_MAX : -slice.step;
  return result;
}

void addPosition(const Call &call, int64_t position, int64_t axis, const Dim &size, Ranges &to) {
  if (size.isStatic() && (position < -size.value() || position >= size.value()))
    call.fail(ErrorKind::index, fmt::format("index {} is out of range for axis {} of size {}",
                                            position, axis, size.value()));
  if (position < 0)
    to.add(size + Dim(position), size + Dim(position) + Dim(1), 1,
           detail::startFromEnd | detail::stopFromEnd);
  else
    to.add(position, position + 1, 1, 0);
}

/// x itself if the whole of it is asked for: by bounds that are left out or symbolic. Numbers that
/// happen to be its size ask for the same as numbers that are not, so that eager calls with other
/// sizes find the same artifact.
Tensor recordSlice(const Call &call, const Tensor &x, Ranges ranges) {
  const Shape &shape = x.shape();
  bool isFull = true;
  for (int64_t i = 0; i < shape.rank(); ++i) {
    auto axis = static_cast<std::size_t>(i);
    isFull = isFull && ranges.starts[axis] == Dim(0) && ranges.stops[axis] == shape[i] &&
             ranges.steps[axis] == 1 &&
             (ranges.hints[axis] == detail::stopFromEnd || !shape[i].isStatic());
  }
  if (isFull)
    return x;
  return call.record("slice", {x},
                     {{"starts", Shape(std::move(ranges.starts))},
                      {"stops", Shape(std::move(ranges.stops))},
                      {"steps", std::move(ranges.steps)}},
                     std::move(ranges.hints));
}

Tensor index(const Call &call, Tensor x, const std::vector<Index> &index) {
  const Shape shape = call.type(x).shape;
  int64_t used = std::count_if(index.begin(), index.end(), [](const Index &entry) {
    return entry.kind == Index::Kind::slice || entry.kind == Index::Kind::position;
  });
  if (used > shape.rank())
    call.fail(ErrorKind::index, fmt::format("{} indices for x {}", used, x.type().str()));
  Ranges ranges;
  enum class Axis : uint8_t { keep, drop, insert };
  std::vector<Axis> axes;
  auto position = [&] { return static_cast<int64_t>(ranges.starts.size()); };
  auto fillUp = [&](int64_t count) {
    for (; count > 0; --count) {
      ranges.addFull(shape[position()]);
      axes.push_back(Axis::keep);
    }
  };
  bool hasEllipsis = false;
  for (const Index &entry : index)
    switch (entry.kind) {
    case Index::Kind::slice:
      if (entry.range.step < 0)
        x = call.reverse(x, position());
      call.dims([&] {
        addSlice(call,
                 entry.range.step < 0 ? mirrored(call, entry.range, shape[position()])
                                      : entry.range,
                 x.type(), ranges);
      });
      axes.push_back(Axis::keep);
      break;
    case Index::Kind::position:
      addPosition(call, entry.position, position(), shape[position()], ranges);
      axes.push_back(Axis::drop);
      break;
    case Index::Kind::newAxis:
      axes.push_back(Axis::insert);
      break;
    case Index::Kind::ellipsis:
      if (std::exchange(hasEllipsis, true))
        call.fail(ErrorKind::index, "more than one ellipsis in the index of x " + x.type().str());
      fillUp(shape.rank() - used);
      break;
    }
  fillUp(shape.rank() - position());

  Tensor part = recordSlice(call, x, std::move(ranges));
  std::vector<Dim> dims;
  std::vector<int64_t> targets;
  for (Axis axis : axes) {
    if (axis != Axis::insert)
      targets.push_back(axis == Axis::drop ? -1 : static_cast<int64_t>(dims.size()));
    if (axis == Axis::insert)
      dims.push_back(1);
    else if (axis == Axis::keep)
      dims.push_back(part.shape()[static_cast<int64_t>(targets.size()) - 1]);
  }
  return call.joinAxes(part, Shape(std::move(dims)), targets);
}

/// x with [start, stop) of one axis.
Tensor sliceAxis(const Call &call, const Tensor &x, int64_t axis, int64_t start, int64_t stop) {
  Ranges ranges;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i == axis)
      ranges.add(start, stop, 1, 0);
    else
      ranges.addFull(x.shape()[i]);
  return recordSlice(call, x, std::move(ranges));
}

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

Tensor Tensor::slice(const std::vector<Index> &entries, Where where) const {
  return index(Call("slice", where), *this, entries);
}

Tensor Tensor::operator[](At at) const {
  return index(Call("operator[]", at.where), *this, {Index(at.position)});
}

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
