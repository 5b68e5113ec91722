#include "frontend/RandomFill.h"
#include "kiln/Ops.h"
#include "kiln/nn/Activations.h"
#include "kiln/nn/Embedding.h"
#include "kiln/nn/Linear.h"
#include "kiln/nn/MultiHeadAttention.h"
#include "kiln/nn/Norm.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace kiln::nn {

using kiln::detail::Distribution;
using kiln::detail::lazyRandom;

/// Errors: TypeError for a symbolic or negative dim.
static TensorType parameterType(const char *layer, const Shape &shape, std::optional<DType> dtype,
                                std::optional<Device> device) {
  for (const Dim &dim : shape)
    if (!dim.isStatic() || dim.value() < 0)
      throw TypeError(fmt::format("[{}] dims of parameters are non-negative numbers, not {}", layer,
                                  dim.str()));
  return kiln::detail::parameterType(shape, dtype, device);
}

Linear::Linear(const Dim &in, const Dim &out, bool hasBias, std::optional<DType> dtype,
               std::optional<Device> device) {
  TensorType weightType = parameterType("Linear", {out, in}, dtype, device);
  double range = in.value() > 0 ? 1 / std::sqrt(static_cast<double>(in.value())) : 0;
  auto where = std::source_location::current();
  weight = lazyRandom(Distribution::uniform, weightType, -range, range, where);
  if (hasBias)
    bias = lazyRandom(Distribution::uniform, parameterType("Linear", {out}, dtype, device), -range,
                      range, where);
}

Linear::Linear(Tensor weight, std::optional<Tensor> bias)
    : weight(std::move(weight)), bias(std::move(bias)) {
  if (this->weight.rank() != 2)
    throw ValueError(
        fmt::format("[Linear] the weight must be of rank 2, not {}", this->weight.type().str()));
}

Tensor Linear::operator()(const Tensor &x, Where where) const {
  Tensor y = matmul(x, weight.T(where), where);
  return bias ? Operand(y, where) + *bias : y;
}

void Linear::describe(Description &to) const {
  to.field("in_dim", inDim()).field("out_dim", outDim()).field("bias", bias.has_value(), true);
}

Embedding::Embedding(const Dim &vocabSize, const EmbeddingOptions &options) {
  if (options.dim.has_value() == !options.dims.empty())
    throw TypeError("[Embedding] exactly one of dim and dims must be given");
  std::vector<Dim> shape = {vocabSize};
  if (options.dim)
    shape.push_back(*options.dim);
  shape.insert(shape.end(), options.dims.begin(), options.dims.end());
  weight =
      lazyRandom(Distribution::normal,
                 parameterType("Embedding", Shape(std::move(shape)), options.dtype, options.device),
                 0, 1, std::source_location::current());
}

Shape Embedding::dims() const {
  return Shape(std::vector<Dim>(weight.shape().begin() + 1, weight.shape().end()));
}

Dim Embedding::dim() const {
  if (weight.rank() != 2)
    throw TypeError(fmt::format("[Embedding] has several dims: {}", dims().str()));
  return weight.shape()[1];
}

Tensor Embedding::operator()(const Tensor &indices, Where where) const {
  return gather(weight, indices, 0, where);
}

void Embedding::describe(Description &to) const {
  to.field("vocab_size", vocabSize());
  if (weight.rank() == 2)
    to.field("dim", dim());
  else
    to.field("dims", dims());
}

LayerNorm::LayerNorm(const Dim &dim, const LayerNormOptions &options, std::optional<DType> dtype,
                     std::optional<Device> device)
    : options(options), size(dim) {
  if (!(options.eps > 0))
    throw ValueError("[LayerNorm] epsilon must be positive");
  parameterType("LayerNorm", {dim}, dtype, device);
  if (options.elementwiseAffine)
    weight = Tensor::ones({dim}, dtype, device);
  if (options.elementwiseAffine && options.useBias)
    bias = Tensor::zeros({dim}, dtype, device);
}

LayerNorm::LayerNorm(const Dim &dim, double eps) : LayerNorm(dim, LayerNormOptions{.eps = eps}) {}

Tensor LayerNorm::operator()(const Tensor &x, Where where) const {
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

RMSNorm::RMSNorm(const Dim &dim, double eps, std::optional<DType> dtype,
                 std::optional<Device> device)
    : weight(Tensor::ones({dim}, dtype, device)), eps(eps) {}

Tensor RMSNorm::operator()(const Tensor &x, Where where) const {
  return rmsNorm(x, weight, eps, where);
}

void RMSNorm::describe(Description &to) const { to.field("dim", dim()).field("eps", eps, 1e-6); }

static Linear projection(int64_t in, int64_t out, const MultiHeadAttentionOptions &options) {
  return Linear(in, out, options.bias, options.dtype, options.device);
}

static int64_t headSize(int64_t dim, int64_t heads, int64_t kvHeads) {
  if (heads < 1 || dim < 1 || dim % heads)
    throw ValueError(
        fmt::format("[MultiHeadAttention] dim {} is not divisible by heads {}", dim, heads));
  if (kvHeads < 0 || (kvHeads && heads % kvHeads))
    throw ValueError(fmt::format("[MultiHeadAttention] heads {} is not divisible by kvHeads {}",
                                 heads, kvHeads));
  return dim / heads;
}

MultiHeadAttention::MultiHeadAttention(int64_t dim, int64_t heads,
                                       const MultiHeadAttentionOptions &options)
    : query(projection(dim, dim, options)),
      key(projection(
          dim, headSize(dim, heads, options.kvHeads) * (options.kvHeads ? options.kvHeads : heads),
          options)),
      value(projection(
          dim, headSize(dim, heads, options.kvHeads) * (options.kvHeads ? options.kvHeads : heads),
          options)),
      output(projection(dim, dim, options)), numHeads(heads),
      numKvHeads(options.kvHeads ? options.kvHeads : heads),
      headDim(headSize(dim, heads, options.kvHeads)), isCausal(options.causal) {}

Tensor causalMask(const Dim &size, Device device, Where where) {
  Tensor position = Tensor::arange(0, size, 1, DType::int64, device, where);
  return Operand(position.unsqueeze(-1, where), where) >= position;
}

/// The mask that was given, with what lies ahead masked out as well.
static Tensor withCausalMask(const std::optional<Tensor> &mask, const Tensor &x,
                             const Tensor &context, Where where) {
  if (x.rank() < 2 || context.rank() < 2 || x.shape()[-2] != context.shape()[-2])
    throw ValueError(fmt::format("[MultiHeadAttention] causal attention is to a context of equal "
                                 "length: x {}, context {}{}",
                                 x.type().str(), context.type().str(), atLocation(where)));
  Tensor causal = causalMask(x.shape()[-2], x.device(), where);
  if (!mask)
    return causal;
  if (mask->dtype() == DType::boolean)
    return Operand(*mask, where) & causal;
  return kiln::where(causal, Operand(*mask, where), -std::numeric_limits<double>::infinity());
}

/// [..., S, heads * d] -> [..., heads, S, d]
static Tensor splitHeads(const Tensor &x, int64_t heads, int64_t headDim, Where where) {
  std::vector<Dim> dims(x.shape().begin(), x.shape().end() - 1);
  dims.insert(dims.end(), {Dim(heads), Dim(headDim)});
  return x.reshape(Shape(std::move(dims)), where).transpose(-3, -2, where);
}

Tensor MultiHeadAttention::attend(const Tensor &x, const Tensor &context,
                                  const std::optional<Tensor> &mask, Where where) const {
  Tensor q = splitHeads(query(x, where), numHeads, headDim, where);
  Tensor k = splitHeads(key(context, where), numKvHeads, headDim, where);
  Tensor v = splitHeads(value(context, where), numKvHeads, headDim, where);
  Tensor mixed = isCausal ? attention(q, k, v, withCausalMask(mask, x, context, where), {}, where)
                          : attention(q, k, v, mask, {}, where);
  return output(mixed.transpose(-3, -2, where).flatten(-2, -1, where), where);
}

Tensor MultiHeadAttention::operator()(const Tensor &x, const std::optional<Tensor> &mask,
                                      Where where) const {
  return attend(x, x, mask, where);
}

void MultiHeadAttention::describe(Description &to) const {
  to.field("dim", Dim(dim()))
      .field("num_heads", numHeads)
      .field("num_kv_heads", numKvHeads, numHeads)
      .field("bias", query.bias.has_value(), true)
      .field("causal", isCausal, false);
}

AnyModule activation(std::string_view name) {
  if (name == "silu" || name == "swish")
    return SiLU();
  if (name == "gelu")
    return GELU();
  if (name == "gelu_tanh")
    return GELU("tanh");
  if (name == "gelu_quick" || name == "quick_gelu")
    return GELU("quick");
  if (name == "relu")
    return ReLU();
  if (name == "tanh")
    return Tanh();
  if (name == "sigmoid")
    return Sigmoid();
  throw ValueError(fmt::format("[activation] Unrecognized activation function name: {}", name));
}

} // namespace kiln::nn
