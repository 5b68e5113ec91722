#include "kiln/nn/RotaryEmbedding.h"
#include "kiln/Ops.h"

#include <cmath>
#include <fmt/format.h>

namespace kiln::nn {

static Tensor checkedTable(Tensor weight) {
  if (weight.rank() != 3 || weight.shape()[2] != Dim(2))
    throw ValueError(fmt::format("[RotaryEmbedding] the table must be [positions, dim / 2, 2], "
                                 "not {}",
                                 weight.type().str()));
  return weight;
}

static void checkDim(int64_t dim) {
  if (dim < 2 || dim % 2)
    throw ValueError(
        fmt::format("[RotaryEmbedding] the dim must be even and positive, not {}", dim));
}

static double frequency(int64_t i, int64_t dim, double base) {
  return std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
}

Tensor RotaryEmbedding::theta(int64_t dim, double base) {
  checkDim(dim);
  std::vector<float> values;
  for (int64_t i = 0; i < dim / 2; ++i)
    values.push_back(static_cast<float>(frequency(i, dim, base)));
  return Tensor::fromData(values, {dim / 2});
}

static Tensor table(int64_t dim, double base, int64_t positions, std::optional<DType> dtype,
                    std::optional<Device> device) {
  checkDim(dim);
  if (positions < 0)
    throw ValueError(fmt::format("[RotaryEmbedding] a negative length: {}", positions));
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(positions * dim));
  for (int64_t position = 0; position < positions; ++position)
    for (int64_t i = 0; i < dim / 2; ++i) {
      double angle = static_cast<double>(position) * frequency(i, dim, base);
      values.push_back(static_cast<float>(std::cos(angle)));
      values.push_back(static_cast<float>(std::sin(angle)));
    }
  return Tensor::fromData(values, {positions, dim / 2, 2}, dtype, device);
}

Tensor RotaryEmbedding::positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength) {
  return table(dim, base, maxSequenceLength, {}, {});
}

RotaryEmbedding::RotaryEmbedding(Tensor weight) : weight(checkedTable(std::move(weight))) {}

RotaryEmbedding::RotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base,
                                 std::optional<DType> dtype, std::optional<Device> device)
    : weight(table(dim, base, maxSequenceLength, dtype, device)) {}

TransposedRotaryEmbedding::TransposedRotaryEmbedding(Tensor weight)
    : weight(checkedTable(std::move(weight))) {}

TransposedRotaryEmbedding::TransposedRotaryEmbedding(int64_t dim, int64_t maxSequenceLength,
                                                     double base, std::optional<DType> dtype,
                                                     std::optional<Device> device)
    : weight(table(dim, base, maxSequenceLength, dtype, device)) {}

/// Both forms: they differ in which elements make a pair.
static Tensor rotate(const Tensor &weight, const Tensor &x, const Dim &start, bool isTransposed,
                     Where where) {
  const Shape shape = x.shape();
  Dim half = weight.shape()[1];
  if (shape.rank() != 4 || shape[3] != half * Dim(2))
    throw TypeError(fmt::format("[RotaryEmbedding] x must be [batch, seq, heads, {}], not {}{}",
                                (half * Dim(2)).str(), x.type().str(), atLocation(where)));
  DType dtype = promote(x.dtype(), weight.dtype());
  Dim stop = start + shape[1];
  if (stop.isStatic() && weight.shape()[0].isStatic() && stop.value() > weight.shape()[0].value())
    throw ValueError(fmt::format("[RotaryEmbedding] positions {} to {} are beyond the table of {} "
                                 "positions{}",
                                 start.str(), stop.str(), weight.shape()[0].str(),
                                 atLocation(where)));
  Tensor angles = weight.slice({Slice(start, stop)}, where).unsqueeze(1, where).cast(dtype, where);
  Tensor cosine = angles.slice({ellipsis, 0}, where), sine = angles.slice({ellipsis, 1}, where);
  Tensor pairs = isTransposed ? x.reshape({shape[0], shape[1], shape[2], Dim(2), half}, where)
                              : x.reshape({shape[0], shape[1], shape[2], half, Dim(2)}, where);
  pairs = pairs.cast(dtype, where);
  int64_t axis = isTransposed ? 3 : 4;
  auto part = [&](int64_t i) {
    return isTransposed ? pairs.slice({ellipsis, i, Slice()}, where)
                        : pairs.slice({ellipsis, i}, where);
  };
  Tensor a = part(0), b = part(1);
  Tensor re = Operand(Operand(a, where) * cosine, where) - Operand(b, where) * sine;
  Tensor im = Operand(Operand(a, where) * sine, where) + Operand(b, where) * cosine;
  return stack({re, im}, axis, where).reshape(shape, where).cast(x.dtype(), where);
}

Tensor RotaryEmbedding::operator()(const Tensor &x, const Dim &start, Where where) const {
  return rotate(weight, x, start, false, where);
}

Tensor TransposedRotaryEmbedding::operator()(const Tensor &x, const Dim &start, Where where) const {
  return rotate(weight, x, start, true, where);
}

static void describeTable(const Tensor &weight, Description &to) {
  to.field("dim", (weight.shape()[1] * Dim(2)).value())
      .field("max_sequence_length", weight.shape()[0].value());
}

void RotaryEmbedding::describe(Description &to) const { describeTable(weight, to); }
void TransposedRotaryEmbedding::describe(Description &to) const { describeTable(weight, to); }

} // namespace kiln::nn
