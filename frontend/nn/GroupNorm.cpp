#include "kiln/nn/GroupNorm.h"
#include "frontend/nn/Parameters.h"
#include "kiln/Ops.h"

#include <fmt/format.h>

namespace kiln::nn {

GroupNorm::GroupNorm(int64_t numGroups, int64_t numChannels, const GroupNormOptions &options,
                     std::optional<DType> dtype, std::optional<Device> device, Where where)
    : groups(numGroups), channels(numChannels), options(options) {
  if (groups < 1 || channels < 1 || channels % groups)
    throw ValueError(fmt::format("[GroupNorm] num_channels {} must be divisible by num_groups {}{}",
                                 channels, groups, atLocation(where)));
  checkEpsilon("GroupNorm", options.eps, where);
  if (options.affine) {
    weight = Tensor::ones({channels}, dtype, device, where);
    bias = Tensor::zeros({channels}, dtype, device, where);
  }
}

Tensor GroupNorm::operator()(const Tensor &x, Where where) const {
  const Shape shape = x.shape(where);
  if (shape.rank() < 2 || shape[1] != Dim(channels))
    throw ValueError(fmt::format("[GroupNorm] x must be [N, {}, ...], not {}{}", channels,
                                 x.type().str(), atLocation(where)));
  Dim perGroup = channels / groups;
  for (int64_t axis = 2; axis < shape.rank(); ++axis)
    perGroup = perGroup * shape[axis];
  Tensor rows = x.reshape(Shape{shape[0], Dim(groups), perGroup}, where);
  Tensor y = layerNorm(rows, options.eps, where).reshape(shape, where);
  if (!weight)
    return y;
  std::vector<Dim> perChannel(static_cast<std::size_t>(shape.rank()) - 1, Dim(1));
  perChannel[0] = channels;
  Shape channelShape(std::move(perChannel));
  y = Operand(y, where) * weight->reshape(channelShape, where);
  return Operand(y, where) + bias->reshape(channelShape, where);
}

void GroupNorm::describe(Description &to) const {
  to.field("num_groups", groups)
      .field("num_channels", channels)
      .field("eps", options.eps, GroupNormOptions().eps)
      .field("affine", options.affine, true);
}

} // namespace kiln::nn
