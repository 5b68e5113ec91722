#include "frontend/Slice.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

/// Views: parts of the same elements.
namespace kiln {

using detail::Call;

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

} // namespace

Tensor detail::sliceAxis(const Call &call, const Tensor &x, int64_t axis, int64_t start,
                         int64_t stop) {
  Ranges ranges;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i == axis)
      ranges.add(start, stop, 1, 0);
    else
      ranges.addFull(x.shape()[i]);
  return recordSlice(call, x, std::move(ranges));
}

Tensor Tensor::slice(const std::vector<Index> &entries, Where where) const {
  return index(Call("slice", where), *this, entries);
}

Tensor Tensor::operator[](At at) const {
  return index(Call("operator[]", at.where), *this, {Index(at.position)});
}

} // namespace kiln
