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

  /// Errors: ValueError unless eps is positive; TypeError for a symbolic or negative dim.
  LayerNorm(const Dim &dim, const LayerNormOptions &options = {}, std::optional<DType> dtype = {},
            std::optional<Device> device = {}, Where where = Where::current());
  LayerNorm(const Dim &dim, double eps, Where where = Where::current());

  Dim dim() const { return size; }
  /// Errors: ValueError if the last dim of x is another.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  Dim size;
};

/// x / sqrt(mean(x^2) + eps) * weight over the last axis. Shapes: weight [dim]; x [..., dim].
/// Initial weight: ones. float16 and bfloat16 are normalised in float32 and rounded before they are
/// multiplied by the weight. Source: Zhang and Sennrich, arXiv:1910.07467.
struct RMSNorm : Module<RMSNorm> {
  Tensor weight;
  double eps;
  KILN_FIELDS(weight)

  /// Errors: ValueError unless eps is positive; TypeError for a symbolic or negative dim.
  explicit RMSNorm(const Dim &dim, double eps = 1e-6, std::optional<DType> dtype = {},
                   std::optional<Device> device = {}, Where where = Where::current());
  Dim dim() const { return weight.shape()[0]; }
  /// Errors: ValueError if the last dim of x is another.
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

/// As RMSNorm with 1 + weight in the place of the weight; float16 and bfloat16 are multiplied by it
/// in float32 and rounded afterwards. Initial weight: ones.
struct GemmaRMSNorm : Module<GemmaRMSNorm> {
  Tensor weight;
  double eps;
  KILN_FIELDS(weight)

  /// Errors: as RMSNorm.
  explicit GemmaRMSNorm(const Dim &dim, double eps = 1e-6, std::optional<DType> dtype = {},
                        std::optional<Device> device = {}, Where where = Where::current());
  Dim dim() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
