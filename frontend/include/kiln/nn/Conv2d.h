#pragma once

#include "kiln/Convolution.h"
#include "kiln/Module.h"

namespace kiln::nn {

struct Conv2dOptions {
  PerAxis<2> stride = 1;
  Padding<2> padding = 0;
  PerAxis<2> dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  bool permute = false; // PyTorch's layout of weight, x and result
};

/// kiln::conv2d with a filter and a bias [outChannels] of its own. Shapes: weight
/// [KH, KW, inChannels / groups, outChannels], x [N, H, W, inChannels] -> [N, H', W', outChannels];
/// with `permute` as of PyTorch: weight [outChannels, inChannels / groups, KH, KW],
/// x [N, inChannels, H, W] -> [N, outChannels, H', W'].
/// Initial values: uniform in ±1/sqrt(KH * KW * inChannels / groups), made when first read.
struct Conv2d : Module<Conv2d> {
  Tensor weight;
  std::optional<Tensor> bias;
  KILN_FIELDS(weight, bias)

  /// Errors: ValueError for numbers that are not positive, groups that do not divide the channels.
  Conv2d(int64_t inChannels, int64_t outChannels, const PerAxis<2> &kernelSize,
         const Conv2dOptions &options = {}, std::optional<DType> dtype = {},
         std::optional<Device> device = {});

  int64_t inChannels() const { return channels; }
  int64_t outChannels() const;
  PerAxis<2> kernelSize() const;
  /// Errors: ValueError for a rank other than 4, another number of channels, too small a size.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  int64_t channels;
  Conv2dOptions options;
};

struct PoolOptions {
  std::optional<PerAxis<2>> stride = {}; // kernelSize unless given
  Padding<2> padding = 0;
  PerAxis<2> dilation = 1;
  bool ceilMode = false;
  bool countBoundary = true; // of AvgPool2d
};

/// kiln::maxPool2d. Shapes: x [N, H, W, C] -> [N, H', W', C].
struct MaxPool2d : Module<MaxPool2d> {
  PerAxis<2> kernelSize;
  PoolOptions options;

  explicit MaxPool2d(const PerAxis<2> &kernelSize, const PoolOptions &options = {})
      : kernelSize(kernelSize), options(options) {}
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

/// kiln::avgPool2d. Shapes: x [N, H, W, C] -> [N, H', W', C].
struct AvgPool2d : Module<AvgPool2d> {
  PerAxis<2> kernelSize;
  PoolOptions options;

  explicit AvgPool2d(const PerAxis<2> &kernelSize, const PoolOptions &options = {})
      : kernelSize(kernelSize), options(options) {}
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
