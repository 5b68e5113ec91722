#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool keepDtype = true; // false: computed in float32
  bool elementwiseAffine = true;
  bool useBias = true;
};

/// Normalises the last axis. Shapes: weight [dim], bias [dim]; x [..., dim] -> [..., dim].
struct LayerNorm : Module<LayerNorm> {
  std::optional<Tensor> weight, bias;
  LayerNormOptions options;
  KILN_FIELDS(weight, bias)

  LayerNorm(const Dim &dim, const LayerNormOptions &options = {}, std::optional<DType> dtype = {},
            std::optional<Device> device = {});
  LayerNorm(const Dim &dim, double eps);

  Dim dim() const { return size; }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  Dim size;
};

/// x / sqrt(mean(x^2) + eps) * weight over the last axis. Shapes: weight [dim]; x [..., dim].
struct RMSNorm : Module<RMSNorm> {
  Tensor weight;
  double eps;
  KILN_FIELDS(weight)

  explicit RMSNorm(const Dim &dim, double eps = 1e-6, std::optional<DType> dtype = {},
                   std::optional<Device> device = {});
  Dim dim() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
