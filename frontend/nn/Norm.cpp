#include "kiln/nn/Norm.h"
#include "frontend/nn/Parameters.h"
#include "kiln/Ops.h"

#include <cmath>
#include <fmt/format.h>

namespace kiln::nn {

void checkEpsilon(const char *layer, double eps, Where where) {
  if (!(eps > 0) || !std::isfinite(eps))
    throw ValueError(
        fmt::format("[{}] epsilon must be positive, got {}{}", layer, eps, atLocation(where)));
}

void checkLastDim(const char *layer, const Tensor &x, const Dim &dim, Where where) {
  if (x.rank(where) < 1 || x.shape()[-1] != dim)
    throw ValueError(fmt::format("[{}] weight [{}] does not match dimension of reduction: x {}{}",
                                 layer, dim.str(), x.type().str(), atLocation(where)));
}

LayerNorm::LayerNorm(const Dim &dim, const LayerNormOptions &options, std::optional<DType> dtype,
                     std::optional<Device> device, Where where)
    : options(options), size(dim) {
  checkEpsilon("LayerNorm", options.eps, where);
  parameterType("LayerNorm", {dim}, dtype, device, where);
  if (options.elementwiseAffine)
    weight = Tensor::ones({dim}, dtype, device, where);
  if (options.elementwiseAffine && options.useBias)
    bias = Tensor::zeros({dim}, dtype, device, where);
}

LayerNorm::LayerNorm(const Dim &dim, double eps, Where where)
    : LayerNorm(dim, LayerNormOptions{.eps = eps}, {}, {}, where) {}

Tensor LayerNorm::operator()(const Tensor &x, Where where) const {
  checkLastDim("LayerNorm", x, size, where);
  bool widens = !options.keepDtype && x.dtype() != DType::float32;
  auto prepared = [&](const Tensor &t) { return widens ? t.cast(DType::float32, where) : t; };
  Tensor y;
  if (weight && bias)
    y = layerNorm(prepared(x), prepared(*weight), prepared(*bias), options.eps, where);
  else
    y = layerNorm(prepared(x), options.eps, where);
  if (weight && !bias)
    y = Operand(y, where) * prepared(*weight);
  return widens ? y.cast(x.dtype(), where) : y;
}

void LayerNorm::describe(Description &to) const {
  LayerNormOptions usual;
  to.field("dim", size)
      .field("eps", options.eps, usual.eps)
      .field("keep_dtype", options.keepDtype, true)
      .field("elementwise_affine", options.elementwiseAffine, true)
      .field("use_bias", options.useBias, true);
}

/// Ones; after checks of what the layer was given.
static Tensor scaleOf(const char *layer, const Dim &dim, double eps, std::optional<DType> dtype,
                      std::optional<Device> device, Where where) {
  checkEpsilon(layer, eps, where);
  TensorType type = parameterType(layer, {dim}, dtype, device, where);
  return Tensor::ones(type.shape, type.dtype, type.device, where);
}

RMSNorm::RMSNorm(const Dim &dim, double eps, std::optional<DType> dtype,
                 std::optional<Device> device, Where where)
    : weight(scaleOf("RMSNorm", dim, eps, dtype, device, where)), eps(eps) {}

Tensor RMSNorm::operator()(const Tensor &x, Where where) const {
  checkLastDim("RMSNorm", x, dim(), where);
  return rmsNorm(x, weight, eps, where);
}

void RMSNorm::describe(Description &to) const { to.field("dim", dim()).field("eps", eps, 1e-6); }

GemmaRMSNorm::GemmaRMSNorm(const Dim &dim, double eps, std::optional<DType> dtype,
                           std::optional<Device> device, Where where)
    : weight(scaleOf("GemmaRMSNorm", dim, eps, dtype, device, where)), eps(eps) {}

Tensor GemmaRMSNorm::operator()(const Tensor &x, Where where) const {
  checkLastDim("GemmaRMSNorm", x, dim(), where);
  DType wide = promote(promote(x.dtype(), weight.dtype()), DType::float32);
  Tensor scale = Operand(weight.cast(wide, where), where) + 1;
  return rmsNorm(x.cast(wide, where), scale, eps, where).cast(x.dtype(), where);
}

void GemmaRMSNorm::describe(Description &to) const {
  to.field("dim", dim()).field("eps", eps, 1e-6);
}

} // namespace kiln::nn
