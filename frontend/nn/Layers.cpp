#include "frontend/nn/Parameters.h"
#include "kiln/Ops.h"
#include "kiln/nn/Activations.h"
#include "kiln/nn/Embedding.h"
#include "kiln/nn/Linear.h"
#include "kiln/nn/MultiHeadAttention.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace kiln::nn {

using kiln::detail::Distribution;
using kiln::detail::lazyRandom;

TensorType parameterType(const char *layer, const Shape &shape, std::optional<DType> dtype,
                         std::optional<Device> device, Where where) {
  for (const Dim &dim : shape)
    if (!dim.isStatic() || dim.value() < 0)
      throw TypeError(fmt::format("[{}] dims of parameters are non-negative numbers, not {}{}",
                                  layer, dim.str(), atLocation(where)));
  return kiln::detail::parameterType(shape, dtype, device);
}

Linear::Linear(const Dim &in, const Dim &out, bool hasBias, std::optional<DType> dtype,
               std::optional<Device> device, Where where) {
  TensorType weightType = parameterType("Linear", {out, in}, dtype, device, where);
  double range = in.value() > 0 ? 1 / std::sqrt(static_cast<double>(in.value())) : 0;
  weight = lazyRandom(Distribution::uniform, weightType, -range, range, where);
  if (hasBias)
    bias = lazyRandom(Distribution::uniform, parameterType("Linear", {out}, dtype, device, where),
                      -range, range, where);
}

/// Errors: ValueError unless a weight is a matrix, and the bias, if there is one, has its rows.
static void checkParameters(const Tensor &weight, const std::optional<Tensor> &bias, Where where) {
  const TensorType &type = weight.type(where);
  if (type.rank() != 2)
    throw ValueError(fmt::format("[Linear] the weight must be of rank 2, not {}{}", type.str(),
                                 atLocation(where)));
  if (bias && bias->shape(where) != Shape{type.shape[0]})
    throw ValueError(fmt::format("[Linear] the bias {} does not fit the weight {}{}",
                                 bias->type().str(), type.str(), atLocation(where)));
}

Linear::Linear(Tensor weight, std::optional<Tensor> bias, Where where)
    : weight(std::move(weight)), bias(std::move(bias)) {
  checkParameters(this->weight, this->bias, where);
}

Linear::Linear(const Dim &in, const Dim &out, QuantizationEncoding encoding, bool hasBias,
               std::optional<Device> device, Where where)
    : quantizationEncoding(encoding) {
  parameterType("Linear", {out, in}, DType::uint8, device, where); // checks the dims
  if (in.value() % blockElements(encoding) != 0)
    throw ValueError(fmt::format("[Linear] rows of {} elements, but the blocks of {} have {}{}",
                                 in.value(), name(encoding), blockElements(encoding),
                                 atLocation(where)));
  Shape packed{out, packedRowBytes(encoding, in.value())};
  weight = Tensor::zeros(packed, DType::uint8, device, where);
  if (hasBias) {
    double range = in.value() > 0 ? 1 / std::sqrt(static_cast<double>(in.value())) : 0;
    bias = lazyRandom(Distribution::uniform,
                      parameterType("Linear", {out}, DType::float32, device, where), -range, range,
                      where);
  }
}

Linear::Linear(Tensor weight, QuantizationEncoding encoding, std::optional<Tensor> bias,
               Where where)
    : weight(std::move(weight)), bias(std::move(bias)), quantizationEncoding(encoding) {
  const TensorType &type = this->weight.type(where);
  if (type.dtype != DType::uint8)
    throw TypeError(fmt::format("[Linear] a packed weight must be uint8, not {}{}", type.str(),
                                atLocation(where)));
  checkParameters(this->weight, this->bias, where);
  const Dim &bytes = type.shape[1];
  if (bytes.isStatic() && bytes.value() % blockBytes(encoding) != 0)
    throw ValueError(fmt::format("[Linear] rows of {} bytes, but the blocks of {} have {}: {}{}",
                                 bytes.value(), name(encoding), blockBytes(encoding), type.str(),
                                 atLocation(where)));
}

Dim Linear::inDim() const {
  const Dim &columns = weight.shape()[1];
  if (!quantizationEncoding)
    return columns;
  return columns / Dim(blockBytes(*quantizationEncoding)) *
         Dim(blockElements(*quantizationEncoding));
}

Tensor Linear::operator()(const Tensor &x, Where where) const {
  const Tensor rows =
      quantizationEncoding ? dequantize(weight, *quantizationEncoding, where) : weight;
  Tensor y = matmul(x, rows.T(where), where);
  return bias ? Operand(y, where) + *bias : y;
}

void Linear::describe(Description &to) const {
  to.field("in_dim", inDim()).field("out_dim", outDim()).field("bias", bias.has_value(), true);
  if (quantizationEncoding)
    to.field("encoding", *quantizationEncoding);
}

Embedding::Embedding(const Dim &vocabSize, const EmbeddingOptions &options, Where where) {
  if (options.dim.has_value() == !options.dims.empty())
    throw TypeError(fmt::format("[Embedding] exactly one of dim and dims must be given, not {}{}",
                                options.dim ? "both" : "neither", atLocation(where)));
  std::vector<Dim> shape = {vocabSize};
  if (options.dim)
    shape.push_back(*options.dim);
  shape.insert(shape.end(), options.dims.begin(), options.dims.end());
  TensorType type =
      parameterType("Embedding", Shape(std::move(shape)), options.dtype, options.device, where);
  weight = lazyRandom(Distribution::normal, type, 0, 1, where);
}

Embedding::Embedding(Tensor table, Where where) : weight(std::move(table)) {
  if (weight.rank(where) < 2)
    throw ValueError(fmt::format("[Embedding] the table must be [vocab, dims...], not {}{}",
                                 weight.type().str(), atLocation(where)));
}

Shape Embedding::dims() const {
  return Shape(std::vector<Dim>(weight.shape().begin() + 1, weight.shape().end()));
}

Dim Embedding::dim(Where where) const {
  if (weight.rank() != 2)
    throw TypeError(
        fmt::format("[Embedding] has several dims: {}{}", dims().str(), atLocation(where)));
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

static Linear projection(int64_t in, int64_t out, const MultiHeadAttentionOptions &options,
                         Where where) {
  return Linear(in, out, options.bias, options.dtype, options.device, where);
}

static int64_t headSize(int64_t dim, int64_t heads, int64_t kvHeads, Where where) {
  if (heads < 1 || dim < 1 || dim % heads)
    throw ValueError(fmt::format("[MultiHeadAttention] dim {} is not divisible by heads {}{}", dim,
                                 heads, atLocation(where)));
  if (kvHeads < 0 || (kvHeads && heads % kvHeads))
    throw ValueError(fmt::format("[MultiHeadAttention] heads {} is not divisible by kvHeads {}{}",
                                 heads, kvHeads, atLocation(where)));
  return dim / heads;
}

/// Of keys and values.
static int64_t kvSize(int64_t dim, int64_t heads, int64_t kvHeads, Where where) {
  return headSize(dim, heads, kvHeads, where) * (kvHeads ? kvHeads : heads);
}

MultiHeadAttention::MultiHeadAttention(int64_t dim, int64_t heads,
                                       const MultiHeadAttentionOptions &options, Where where)
    : query(projection(dim, dim, options, where)),
      key(projection(dim, kvSize(dim, heads, options.kvHeads, where), options, where)),
      value(projection(dim, kvSize(dim, heads, options.kvHeads, where), options, where)),
      output(projection(dim, dim, options, where)), numHeads(heads),
      numKvHeads(options.kvHeads ? options.kvHeads : heads),
      headDim(headSize(dim, heads, options.kvHeads, where)), isCausal(options.causal) {}

Tensor causalMask(const Dim &size, Device device, Where where) {
  Tensor position = Tensor::arange(0, size, 1, DType::int64, device, where);
  return Operand(position.unsqueeze(-1, where), where) >= position;
}

/// The mask that was given, with what lies ahead masked out as well.
static Tensor withCausalMask(const std::optional<Tensor> &mask, const Tensor &x,
                             const Tensor &context, Where where) {
  if (x.rank(where) < 2 || context.rank(where) < 2 || x.shape()[-2] != context.shape()[-2])
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

} // namespace kiln::nn
