#include "frontend/SlidingWindows.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <numeric>

/// Convolutions are products of windows with a matrix. The windows are views, which the compiler
/// reads where the product needs them: they are never stored.
namespace kiln {

using detail::Call;
using detail::SlidingAxis;

namespace detail {

void checkSliding(const Call &call, const std::vector<SlidingAxis> &axes) {
  constexpr int64_t most = std::numeric_limits<int32_t>::max(); // products fit int64
  for (std::size_t i = 0; i < axes.size(); ++i) {
    auto check = [&](const char *what, int64_t value, int64_t least) {
      if (value < least || value > most)
        call.fail(ErrorKind::value,
                  fmt::format("{} {} of spatial axis {}: expected at least {}{}", what, value, i,
                              least, value > most ? " and at most 2147483647" : ""));
    };
    check("kernel size", axes[i].size, 1);
    check("stride", axes[i].stride, 1);
    check("dilation", axes[i].dilation, 1);
    check("padding", axes[i].before, 0);
    check("padding", axes[i].after, 0);
  }
}

static Tensor recordWindows(const Call &call, const Tensor &x, int64_t axis,
                            const SlidingAxis &sliding) {
  return call.record("windows", {x},
                     {{"axis", axis},
                      {"size", sliding.size},
                      {"stride", sliding.stride},
                      {"dilation", sliding.dilation}});
}

Tensor slide(const Call &call, const Tensor &x, int64_t firstAxis,
             const std::vector<SlidingAxis> &axes) {
  Tensor result = x;
  auto count = static_cast<int64_t>(axes.size());
  for (int64_t i = count; i-- > 0;)
    result = recordWindows(call, result, firstAxis + i, axes[static_cast<std::size_t>(i)]);
  // Counts and sizes alternate now.
  std::vector<int64_t> order(static_cast<std::size_t>(result.rank()));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = 0; i < count; ++i) {
    order[static_cast<std::size_t>(firstAxis + i)] = firstAxis + 2 * i;
    order[static_cast<std::size_t>(firstAxis + count + i)] = firstAxis + 2 * i + 1;
  }
  return std::is_sorted(order.begin(), order.end()) ? result
                                                    : call.permute(result, std::move(order));
}

Tensor joinedAxes(const Call &call, const Tensor &x, int64_t firstAxis, int64_t count) {
  std::vector<Dim> dims;
  std::vector<int64_t> targets;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (axis > firstAxis && axis < firstAxis + count)
      dims.back() = dims.back() * x.shape()[axis];
    else
      dims.push_back(x.shape()[axis]);
    targets.push_back(static_cast<int64_t>(dims.size()) - 1);
  }
  return call.joinAxes(x, Shape(std::move(dims)), targets);
}

Tensor padded(const Call &call, const Tensor &x, int64_t firstAxis,
              const std::vector<SlidingAxis> &axes, const Scalar &value) {
  std::vector<int64_t> edges(static_cast<std::size_t>(2 * x.rank()));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    edges[2 * (static_cast<std::size_t>(firstAxis) + i)] = axes[i].before;
    edges[2 * (static_cast<std::size_t>(firstAxis) + i) + 1] = axes[i].after;
  }
  return pad(x, edges, value, call.where);
}

} // namespace detail

namespace {

/// Lanes of the widest vectors that Kiln makes code for. Channels that are whole vectors are copied
/// as they are; others together with those of their neighbours in the window.
constexpr int64_t widestVector = 16;

struct Convolution {
  const Call &call;
  Tensor x, filter; // [N, D..., C], [K..., C / groups, F]
  std::vector<SlidingAxis> axes;
  int64_t groups = 1;
  std::optional<Tensor> bias;

  int64_t rank() const { return static_cast<int64_t>(axes.size()); }

  void fail(const std::string &message) const {
    call.fail(ErrorKind::value,
              fmt::format("{}: x {}, filter {}", message, x.type().str(), filter.type().str()));
  }

  /// Fills in the sizes of the windows.
  void check() {
    const TensorType &input = call.type(x), &weights = call.type(filter);
    int64_t expected = rank() + 2;
    if (input.rank() != expected || weights.rank() != expected)
      fail(fmt::format("x and filter need rank {}", expected));
    for (int64_t i = 0; i < expected; ++i)
      if (!weights.shape[i].isStatic())
        call.fail(ErrorKind::type,
                  fmt::format("the sizes of the filter must be numbers: {}", weights.str()));
    for (int64_t i = 0; i < rank(); ++i)
      axes[static_cast<std::size_t>(i)].size = weights.shape[i].value();
    checkSliding(call, axes);
    if (groups < 1)
      fail(fmt::format("groups must be positive, not {}", groups));
    if (weights.shape[-1].value() % groups)
      fail(fmt::format("{} groups do not divide {} output channels", groups,
                       weights.shape[-1].value()));
    if (input.shape[-1] != weights.shape[-2] * Dim(groups))
      fail(fmt::format("channels differ: x has {}, the filter takes {} in each of {} groups",
                       input.shape[-1].str(), weights.shape[-2].str(), groups));
    DType dtype = call.promote(input.dtype, weights.dtype);
    x = call.cast(x, dtype);
    filter = call.cast(filter, dtype);
  }

  Tensor run() {
    if (joinsChannels()) // before it is padded: rows of few elements are slow to copy
      joinChannels();
    x = detail::padded(call, x, 1, axes, x.dtype() == DType::boolean ? Scalar(false) : Scalar(0));
    if (groups != 1 && filter.shape()[-2] == Dim(1))
      return depthwise();
    return groups == 1 ? biased(dense()) : grouped();
  }

  Tensor biased(const Tensor &result) const {
    return bias ? call.binary("add", result, *bias) : result;
  }

  /// Whether windows along the last axis are copied with their channels, as one run of elements.
  bool joinsChannels() const {
    const SlidingAxis &last = axes.back();
    int64_t channels = filter.shape()[-2].value();
    return groups == 1 && last.dilation == 1 && last.size > 1 && channels > 0 &&
           channels % widestVector != 0;
  }

  /// x as [N, D..., D * C], with windows to match.
  void joinChannels() {
    int64_t channels = filter.shape()[-2].value();
    x = detail::joinedAxes(call, x, rank(), 2);
    for (int64_t SlidingAxis::*count :
         {&SlidingAxis::size, &SlidingAxis::stride, &SlidingAxis::before, &SlidingAxis::after})
      axes.back().*count *= channels;
  }

  /// [N, O..., K] @ [K, F].
  Tensor dense() {
    Tensor matrix = detail::joinedAxes(call, filter, 0, rank() + 1);
    bool isPointwise = std::all_of(axes.begin(), axes.end(), [](const SlidingAxis &axis) {
      return axis.size == 1 && axis.stride == 1;
    });
    if (isPointwise)
      return call.record("matmul", {x, matrix});
    Tensor patches = detail::slide(call, x, 1, axes);
    int64_t sizes = patches.rank() - rank() - 1; // of windows and channels
    return call.record("matmul", {detail::joinedAxes(call, patches, rank() + 1, sizes), matrix});
  }

  /// One filter for each channel: a sum over the window. 16-bit floats are summed in float32.
  Tensor depthwise() {
    DType dtype = x.dtype();
    int64_t outputs = filter.shape()[-1].value();
    Tensor source = repeatInterleave(x, outputs / groups, -1, call.where);
    Tensor patches =
        detail::joinedAxes(call, detail::slide(call, source, 1, axes), rank() + 1, rank());
    Tensor weights =
        detail::joinedAxes(call, detail::joinedAxes(call, filter, rank(), 2), 0, rank());
    DType wide = isFloat(dtype) && sizeBytes(dtype) == 2 ? DType::float32 : dtype;
    Tensor products = call.record("mul", {call.cast(patches, wide), call.cast(weights, wide)});
    Tensor sums = call.record("sum", {products}, {{"axis", rank() + 1}});
    // Before the axis goes: in the kernel of the sum.
    return detail::joinedAxes(call, biased(call.cast(sums, dtype)), rank() + 1, 2);
  }

  /// A product for each group: [G, N, O..., K] @ [G, 1..., K, F / G].
  Tensor grouped() {
    int64_t perGroup = filter.shape()[-2].value(), outputs = filter.shape()[-1].value() / groups;
    std::vector<Dim> dims(x.shape().begin(), x.shape().end() - 1);
    dims.insert(dims.end(), {Dim(groups), Dim(perGroup)});
    Tensor split = call.reshape(x, Shape(std::move(dims)));
    Tensor first = call.permute(split, movedToFront(rank() + 2, rank() + 1));
    Tensor patches =
        detail::joinedAxes(call, detail::slide(call, first, 2, axes), rank() + 2, rank() + 1);

    Tensor matrix = detail::joinedAxes(call, filter, 0, rank() + 1);
    Tensor parts = call.reshape(matrix, Shape{matrix.shape()[0], Dim(groups), Dim(outputs)});
    parts = call.permute(parts, {1, 0, 2});
    std::vector<Dim> batch = parts.shape().vec();
    batch.insert(batch.begin() + 1, static_cast<std::size_t>(rank()), Dim(1));
    parts = call.reshape(parts, Shape(std::move(batch)));

    Tensor result = call.record("matmul", {patches, parts}); // [G, N, O..., F / G]
    if (bias) {
      std::vector<Dim> perGroupDims(static_cast<std::size_t>(rank() + 3), Dim(1));
      perGroupDims.front() = groups;
      perGroupDims.back() = outputs;
      result = call.binary("add", result, call.reshape(*bias, Shape(std::move(perGroupDims))));
    }
    std::vector<int64_t> back(static_cast<std::size_t>(rank() + 3));
    std::iota(back.begin(), back.end(), 1);
    back[back.size() - 2] = 0;
    back.back() = rank() + 2;
    return detail::joinedAxes(call, call.permute(result, std::move(back)), rank() + 1, 2);
  }

  static std::vector<int64_t> movedToFront(int64_t lastAxis, int64_t axis) {
    std::vector<int64_t> order = {axis};
    for (int64_t i = 0; i <= lastAxis; ++i)
      if (i != axis)
        order.push_back(i);
    return order;
  }
};

template <std::size_t N>
Tensor convolve(const Call &call, const Tensor &x, const Tensor &filter,
                const ConvolutionOptions<N> &options) {
  Convolution convolution{
      call, x, filter, detail::slidingAxes(PerAxis<N>(1), options), options.groups, options.bias};
  convolution.check();
  if (options.bias && call.type(*options.bias).shape != Shape{filter.shape()[-1]})
    call.fail(ErrorKind::value,
              fmt::format("the bias must be [{}], one for each output channel: bias {}, filter {}",
                          filter.shape()[-1].str(), options.bias->type().str(),
                          filter.type().str()));
  return convolution.run();
}

} // namespace

Tensor windows(const Tensor &x, int64_t axis, int64_t size, int64_t stride, int64_t dilation,
               Where where) {
  Call call("windows", where);
  axis = call.axis(axis, call.type(x).rank());
  SlidingAxis sliding{size, stride, dilation};
  checkSliding(call, {sliding});
  return detail::recordWindows(call, x, axis, sliding);
}

Tensor conv1d(const Tensor &x, const Tensor &filter, const Conv1dOptions &options, Where where) {
  return convolve(Call("conv1d", where), x, filter, options);
}
Tensor conv2d(const Tensor &x, const Tensor &filter, const Conv2dOptions &options, Where where) {
  return convolve(Call("conv2d", where), x, filter, options);
}
Tensor conv3d(const Tensor &x, const Tensor &filter, const Conv3dOptions &options, Where where) {
  return convolve(Call("conv3d", where), x, filter, options);
}

} // namespace kiln
