#include "kiln/nn/Conv2d.h"

#include "frontend/RandomFill.h"

#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kiln::nn {

namespace {

/// "(3, 3)".
template <class Numbers> std::string tuple(const Numbers &numbers) {
  return fmt::format("({})", fmt::join(numbers, ", "));
}

/// Leaves out what is the default.
template <class Numbers>
void addTuple(Description &to, const char *name, const Numbers &numbers, const Numbers &usual) {
  if (numbers != usual)
    to.addText(name, tuple(numbers));
}

} // namespace

Conv2d::Conv2d(int64_t inChannels, int64_t outChannels, const PerAxis<2> &kernelSize,
               const Conv2dOptions &options, std::optional<DType> dtype,
               std::optional<Device> device)
    : channels(inChannels), options(options) {
  auto atLeast = [](const char *what, int64_t value, int64_t least) {
    if (value < least)
      throw ValueError(fmt::format("[Conv2d] {} must be at least {}, not {}", what, least, value));
  };
  atLeast("in_channels", inChannels, 1);
  atLeast("out_channels", outChannels, 1);
  atLeast("num_groups", options.groups, 1);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    atLeast("kernel_size", kernelSize[axis], 1);
    atLeast("stride", options.stride[axis], 1);
    atLeast("dilation", options.dilation[axis], 1);
    atLeast("padding", options.padding.before(axis), 0);
    atLeast("padding", options.padding.after(axis), 0);
  }
  if (inChannels % options.groups || outChannels % options.groups)
    throw ValueError(fmt::format("[Conv2d] num_groups {} must divide in_channels {} and "
                                 "out_channels {}",
                                 options.groups, inChannels, outChannels));
  int64_t perGroup = inChannels / options.groups;
  Shape shape = options.permute ? Shape{outChannels, perGroup, kernelSize[0], kernelSize[1]}
                                : Shape{kernelSize[0], kernelSize[1], perGroup, outChannels};
  double range = 1 / std::sqrt(static_cast<double>(kernelSize[0] * kernelSize[1] * perGroup));
  auto where = std::source_location::current();
  auto drawn = [&](const Shape &parameter) {
    return kiln::detail::lazyRandom(kiln::detail::Distribution::uniform,
                                    kiln::detail::parameterType(parameter, dtype, device), -range,
                                    range, where);
  };
  weight = drawn(shape);
  if (options.bias)
    bias = drawn({outChannels});
}

int64_t Conv2d::outChannels() const { return weight.shape()[options.permute ? 0 : 3].value(); }

PerAxis<2> Conv2d::kernelSize() const {
  int64_t first = options.permute ? 2 : 0;
  return {weight.shape()[first].value(), weight.shape()[first + 1].value()};
}

Tensor Conv2d::operator()(const Tensor &x, Where where) const {
  const Shape &shape = x.shape(where);
  if (shape.rank() != 4 || shape[options.permute ? 1 : 3] != Dim(channels))
    throw ValueError(fmt::format("[Conv2d] x must be {}, not {}{}",
                                 options.permute ? fmt::format("[N, {}, H, W]", channels)
                                                 : fmt::format("[N, H, W, {}]", channels),
                                 x.type().str(), atLocation(where)));
  kiln::Conv2dOptions call{options.stride, options.dilation, options.padding, options.groups, bias};
  if (!options.permute)
    return conv2d(x, weight, call, where);
  return conv2d(x.permute({0, 2, 3, 1}, where), weight.permute({2, 3, 1, 0}, where), call, where)
      .permute({0, 3, 1, 2}, where);
}

void Conv2d::describe(Description &to) const {
  to.field("in_channels", channels).field("out_channels", outChannels());
  to.addText("kernel_size", tuple(kernelSize()));
  addTuple(to, "stride", options.stride, {});
  addTuple(to, "padding", options.padding.edges, Padding<2>().edges);
  addTuple(to, "dilation", options.dilation, {});
  to.field("num_groups", options.groups, int64_t{1})
      .field("has_bias", bias.has_value(), true)
      .field("permute", options.permute, false);
}

namespace {

kiln::Pool2dOptions callOptions(const PerAxis<2> &kernelSize, const PoolOptions &options) {
  return {options.stride.value_or(kernelSize), options.dilation, options.padding, options.ceilMode,
          options.countBoundary};
}

void describePool(Description &to, const PerAxis<2> &kernelSize, const PoolOptions &options) {
  to.addText("kernel_size", tuple(kernelSize));
  addTuple(to, "stride", options.stride.value_or(kernelSize), kernelSize);
  addTuple(to, "padding", options.padding.edges, Padding<2>().edges);
  addTuple(to, "dilation", options.dilation, {});
  to.field("ceil_mode", options.ceilMode, false);
}

} // namespace

Tensor MaxPool2d::operator()(const Tensor &x, Where where) const {
  return maxPool2d(x, kernelSize, callOptions(kernelSize, options), where);
}

void MaxPool2d::describe(Description &to) const { describePool(to, kernelSize, options); }

Tensor AvgPool2d::operator()(const Tensor &x, Where where) const {
  return avgPool2d(x, kernelSize, callOptions(kernelSize, options), where);
}

void AvgPool2d::describe(Description &to) const {
  describePool(to, kernelSize, options);
  to.field("count_boundary", options.countBoundary, true);
}

} // namespace kiln::nn
