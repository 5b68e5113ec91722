#include "frontend/SlidingWindows.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

/// Pooling, and putting windows together to images.
namespace kiln {

using detail::Call;
using detail::SlidingAxis;

namespace {

/// What a greatest element is compared with first.
Scalar lowest(DType dtype) {
  switch (dtype) {
  case DType::int8:
    return std::numeric_limits<int8_t>::min();
  case DType::int16:
    return std::numeric_limits<int16_t>::min();
  case DType::int32:
    return std::numeric_limits<int32_t>::min();
  case DType::int64:
    return std::numeric_limits<int64_t>::min();
  case DType::float16:
  case DType::bfloat16:
  case DType::float32:
  case DType::float64:
    return -std::numeric_limits<double>::infinity();
  default:
    return 0;
  }
}

std::vector<SlidingAxis> poolingAxes(const Call &call, const Tensor &x, const PerAxis<2> &sizes,
                                     const Pool2dOptions &options) {
  if (call.type(x).rank() != 4)
    call.fail(ErrorKind::value, fmt::format("x must be [N, H, W, C], not {}", x.type().str()));
  if (x.dtype() == DType::boolean)
    call.fail(ErrorKind::type, fmt::format("x must be of numbers: {}", x.type().str()));
  std::vector<SlidingAxis> axes = detail::slidingAxes(sizes, options);
  checkSliding(call, axes);
  for (SlidingAxis &axis : axes) {
    if (std::max(axis.before, axis.after) > axis.size / 2)
      call.fail(ErrorKind::value,
                fmt::format("a padding of {} is more than half of the kernel size {}",
                            std::max(axis.before, axis.after), axis.size));
    // As many elements behind x as the windows need that begin before the end of x: each has one
    // element in x or before it.
    if (options.ceilMode)
      axis.after = std::min(axis.after + axis.stride - 1, axis.covered() - 1);
  }
  return axes;
}

/// `reduction` over each window: [N, H, W, C] -> [N, H', W', C].
Tensor pooled(const Call &call, const Tensor &x, const std::vector<SlidingAxis> &axes,
              std::string_view reduction) {
  Tensor patches = detail::joinedAxes(call, detail::slide(call, x, 1, axes), 3, 2);
  Tensor reduced = call.record(reduction, {patches}, {{"axis", int64_t{3}}});
  return detail::joinedAxes(call, reduced, 3, 2);
}

/// For each window along `axis` of x, how many of its elements count: those of x, and those of
/// `options`' padding if it says so. Shape: [H', 1, 1] or [W', 1].
Tensor countAlong(const Call &call, Tensor &x, std::size_t axis, const SlidingAxis &sliding,
                  const Pool2dOptions &options, DType dtype) {
  // Ones of the axis's size. A selection among them, which changes nothing, says that the two sizes
  // are one, so that eager calls with other sizes find the same artifact.
  std::vector<Dim> dims = {1, 1, 1};
  dims[axis] = x.shape()[static_cast<int64_t>(axis) + 1];
  Tensor ones = call.broadcastTo(call.scalar(true, DType::boolean, x.device()), Shape(dims));
  x = call.record("select", {ones, x, x});
  std::vector<SlidingAxis> inside(3), beyond(3);
  inside[axis] = {.before = options.padding.before(axis), .after = options.padding.after(axis)};
  beyond[axis].after = std::max<int64_t>(0, sliding.after - inside[axis].after);
  inside[axis].after = std::min(sliding.after, inside[axis].after);
  Tensor counted = detail::padded(call, call.cast(ones, dtype), 0, inside,
                                  options.countBoundary ? Scalar(1) : Scalar(0));
  counted = detail::padded(call, counted, 0, beyond, Scalar(0));
  Tensor patches = detail::slide(call, counted, static_cast<int64_t>(axis), {sliding});
  auto window = static_cast<int64_t>(axis) + 1;
  return call.record("sum", {patches}, {{"axis", window}}).squeeze(window, call.where);
}

} // namespace

Tensor maxPool2d(const Tensor &x, const PerAxis<2> &kernelSize, const Pool2dOptions &options,
                 Where where) {
  Call call("maxPool2d", where);
  std::vector<SlidingAxis> axes = poolingAxes(call, x, kernelSize, options);
  return pooled(call, detail::padded(call, x, 1, axes, lowest(x.dtype())), axes, "max");
}

Tensor avgPool2d(const Tensor &x, const PerAxis<2> &kernelSize, const Pool2dOptions &options,
                 Where where) {
  Call call("avgPool2d", where);
  std::vector<SlidingAxis> axes = poolingAxes(call, x, kernelSize, options);
  Tensor values = call.toFloat(x);
  DType dtype = values.dtype();
  bool isPadded = std::any_of(axes.begin(), axes.end(), [](const SlidingAxis &axis) {
    return axis.before > 0 || axis.after > 0;
  });
  if (!isPadded || (options.countBoundary && !options.ceilMode))
    return pooled(call, detail::padded(call, values, 1, axes, 0), axes, "mean");
  // The number of elements differs at the edges. 16-bit floats are rounded once.
  DType wide = sizeBytes(dtype) == 2 ? DType::float32 : dtype;
  Tensor rows = countAlong(call, values, 0, axes[0], options, wide);
  Tensor columns = countAlong(call, values, 1, axes[1], options, wide);
  values = call.cast(detail::padded(call, values, 1, axes, 0), wide);
  Tensor mean =
      call.record("div", {pooled(call, values, axes, "sum"), call.record("mul", {rows, columns})});
  return call.cast(mean, dtype);
}

namespace {

/// Sums windows back along one axis: x [..., K, O, ...] with K at `axis` -> [..., size, ...]. Each
/// place of the window is a row of its own, its elements `stride` apart, and the rows are added
/// where they belong.
Tensor foldAxis(const Call &call, const Tensor &x, int64_t axis, const SlidingAxis &sliding,
                int64_t size) {
  std::vector<Dim> dims = x.shape().vec();
  int64_t count = dims[static_cast<std::size_t>(axis) + 1].value(), spread = count * sliding.stride;
  Tensor rows = x;
  if (sliding.stride > 1) {
    dims.insert(dims.begin() + axis + 2, Dim(1));
    std::vector<int64_t> edges(2 * dims.size());
    edges[2 * static_cast<std::size_t>(axis + 2) + 1] = sliding.stride - 1;
    rows = pad(call.reshape(x, Shape(dims)), edges, 0, call.where);
    rows = detail::joinedAxes(call, rows, axis + 1, 2);
  }
  // Element h of the result is at h + before - i * dilation of row i.
  int64_t front = std::max<int64_t>(0, (sliding.size - 1) * sliding.dilation - sliding.before);
  int64_t back = std::max<int64_t>(0, size + sliding.before - spread);
  std::vector<int64_t> edges(2 * static_cast<std::size_t>(rows.rank()));
  edges[2 * static_cast<std::size_t>(axis + 1)] = front;
  edges[2 * static_cast<std::size_t>(axis + 1) + 1] = back;
  rows = pad(rows, edges, 0, call.where);
  Tensor sum;
  for (int64_t i = 0; i < sliding.size; ++i) {
    std::vector<Index> part(static_cast<std::size_t>(rows.rank()), Slice());
    int64_t first = front + sliding.before - i * sliding.dilation;
    part[static_cast<std::size_t>(axis)] = i;
    part[static_cast<std::size_t>(axis) + 1] = Slice(first, first + size);
    Tensor row = rows.slice(part, call.where);
    sum = i == 0 ? row : call.record("add", {sum, row});
  }
  return sum;
}

} // namespace

Tensor fold(const Tensor &x, const PerAxis<2> &outputSize, const PerAxis<2> &kernelSize,
            const FoldOptions &options, Where where) {
  Call call("fold", where);
  const TensorType &type = call.type(x);
  std::vector<SlidingAxis> axes = detail::slidingAxes(kernelSize, options);
  checkSliding(call, axes);
  if (type.rank() != 3)
    call.fail(ErrorKind::value,
              fmt::format("x must be [N, C * KH * KW, windows], not {}", type.str()));
  int64_t counts[2], window = kernelSize[0] * kernelSize[1];
  for (std::size_t i = 0; i < 2; ++i) {
    int64_t last = outputSize[i] + axes[i].before + axes[i].after - axes[i].covered();
    if (outputSize[i] < 1 || last < 0)
      call.fail(ErrorKind::value, fmt::format("no window of {} elements fits into an output size "
                                              "of {} with its padding",
                                              axes[i].covered(), outputSize[i]));
    counts[i] = last / axes[i].stride + 1;
  }
  if (!type.shape[1].isStatic() || type.shape[1].value() % window)
    call.fail(ErrorKind::value, fmt::format("axis 1 must be a multiple of the {} elements of a "
                                            "window: x {}",
                                            window, type.str()));
  if (type.shape[2] != Dim(counts[0] * counts[1]))
    call.fail(ErrorKind::value,
              fmt::format("{} * {} windows make an output of {} x {}: x {}", counts[0], counts[1],
                          outputSize[0], outputSize[1], type.str()));
  Shape split{type.shape[0],      Dim(type.shape[1].value() / window),
              Dim(kernelSize[0]), Dim(kernelSize[1]),
              Dim(counts[0]),     Dim(counts[1])};
  DType dtype = type.dtype, wide = isFloat(dtype) && sizeBytes(dtype) == 2 ? DType::float32 : dtype;
  // [N, C, KH, O1, KW, O2]
  Tensor columns = call.permute(call.reshape(call.cast(x, wide), split), {0, 1, 2, 4, 3, 5});
  Tensor rows = foldAxis(call, columns, 4, axes[1], outputSize[1]);
  return call.cast(foldAxis(call, rows, 2, axes[0], outputSize[0]), dtype);
}

Tensor interpolateNearest(const Tensor &x, const PerAxis<2> &size, Where where) {
  Call call("interpolateNearest", where);
  const TensorType type = call.type(x);
  if (type.rank() != 4)
    call.fail(ErrorKind::value, fmt::format("x must be [N, C, H, W], not {}", type.str()));
  Tensor result = x;
  for (int64_t i = 0; i < 2; ++i) {
    int64_t wanted = size[static_cast<std::size_t>(i)], axis = 2 + i;
    const Dim &given = type.shape[axis];
    if (wanted < 1)
      call.fail(ErrorKind::value, fmt::format("the size {} is not positive", wanted));
    if (given == Dim(wanted))
      continue;
    if (given.isStatic() && given.value() > 0 && wanted % given.value() == 0) {
      result = repeatInterleave(result, wanted / given.value(), axis, where);
      continue;
    }
    Tensor places;
    if (given.isStatic()) { // contents, so that other sizes find the same artifact
      std::vector<int64_t> values(static_cast<std::size_t>(wanted));
      for (int64_t place = 0; place < wanted; ++place)
        values[static_cast<std::size_t>(place)] = place * given.value() / wanted;
      places = Tensor::fromData(values, {wanted}, {}, type.device, where);
    } else {
      Tensor extent = call.sizeOf(given, type.device);
      places = Tensor::arange(0, wanted, 1, DType::int64, type.device, where);
      places = call.record("floor_div", {call.record("mul", {places, extent}),
                                         call.scalar(wanted, DType::int64, type.device)});
    }
    result = call.record("gather", {result, places}, {{"axis", axis}});
  }
  return result;
}

} // namespace kiln
