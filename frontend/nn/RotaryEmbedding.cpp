#include "kiln/nn/RotaryEmbedding.h"
#include "frontend/Node.h"
#include "kiln/Ops.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace kiln::nn {

static Tensor checkedTable(Tensor weight, Where where) {
  if (weight.rank(where) != 3 || weight.shape()[2] != Dim(2))
    throw ValueError(fmt::format("[RotaryEmbedding] the table must be [positions, dim / 2, 2], "
                                 "not {}{}",
                                 weight.type().str(), atLocation(where)));
  return weight;
}

/// base^(-2i / dim): the angle of pair i from one position to the next.
static std::vector<double> frequencies(int64_t dim, double base, Where where) {
  if (dim < 2 || dim % 2)
    throw ValueError(fmt::format("[RotaryEmbedding] the dim must be even and positive, not {}{}",
                                 dim, atLocation(where)));
  if (!(base > 0) || !std::isfinite(base))
    throw ValueError(fmt::format("[RotaryEmbedding] the base must be positive, not {}{}", base,
                                 atLocation(where)));
  std::vector<double> result;
  for (int64_t i = 0; i < dim / 2; ++i)
    result.push_back(std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dim)));
  return result;
}

static Tensor asFloats(const std::vector<double> &values, Where where) {
  return Tensor::fromData(std::vector<float>(values.begin(), values.end()), {values.size()}, {}, {},
                          where);
}

/// Cosine and sine of position * frequency, times `scale`.
static Tensor table(const std::vector<double> &frequencies, double scale, int64_t positions,
                    std::optional<DType> dtype, std::optional<Device> device, Where where) {
  if (positions < 0)
    throw ValueError(
        fmt::format("[RotaryEmbedding] maxSequenceLength must not be negative, got {}{}", positions,
                    atLocation(where)));
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(positions) * frequencies.size() * 2);
  for (int64_t position = 0; position < positions; ++position)
    for (double frequency : frequencies) {
      double angle = static_cast<double>(position) * frequency;
      values.push_back(static_cast<float>(scale * std::cos(angle)));
      values.push_back(static_cast<float>(scale * std::sin(angle)));
    }
  return Tensor::fromData(values, {positions, frequencies.size(), 2}, dtype, device, where);
}

Tensor RotaryEmbedding::theta(int64_t dim, double base, Where where) {
  return asFloats(frequencies(dim, base, where), where);
}

Tensor RotaryEmbedding::positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength,
                                            Where where) {
  return table(frequencies(dim, base, where), 1, maxSequenceLength, {}, {}, where);
}

RotaryEmbedding::RotaryEmbedding(Tensor weight, Where where)
    : weight(checkedTable(std::move(weight), where)) {}

RotaryEmbedding::RotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base,
                                 std::optional<DType> dtype, std::optional<Device> device,
                                 Where where)
    : weight(table(frequencies(dim, base, where), 1, maxSequenceLength, dtype, device, where)) {}

TransposedRotaryEmbedding::TransposedRotaryEmbedding(Tensor weight, Where where)
    : weight(checkedTable(std::move(weight), where)) {}

TransposedRotaryEmbedding::TransposedRotaryEmbedding(int64_t dim, int64_t maxSequenceLength,
                                                     double base, std::optional<DType> dtype,
                                                     std::optional<Device> device, Where where)
    : weight(table(frequencies(dim, base, where), 1, maxSequenceLength, dtype, device, where)) {}

static std::vector<double> yarnFrequencies(int64_t dim, double base, const YarnScaling &scaling,
                                           Where where) {
  if (!(scaling.factor > 0) || scaling.originalMaxPositions < 1 || !(scaling.betaSlow > 0) ||
      !(scaling.betaFast > scaling.betaSlow) || !(base > 1))
    throw ValueError(
        "[YarnRotaryEmbedding] factor and originalMaxPositions are positive, betaFast > "
        "betaSlow > 0 and base > 1" +
        atLocation(where));
  std::vector<double> result = frequencies(dim, base, where);
  // The pair that turns so often over the old length, as a fraction of pairs.
  auto pairOf = [&](double turns) {
    double length = static_cast<double>(scaling.originalMaxPositions);
    return static_cast<double>(dim) * std::log(length / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(base));
  };
  double low = pairOf(scaling.betaFast), high = pairOf(scaling.betaSlow);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(dim - 1));
  if (low == high)
    high += 0.001; // no division by zero: a step
  for (std::size_t i = 0; i < result.size(); ++i) {
    double slowed = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    result[i] = result[i] / scaling.factor * slowed + result[i] * (1 - slowed);
  }
  return result;
}

static double attentionFactor(const YarnScaling &scaling) {
  if (scaling.attentionFactor)
    return *scaling.attentionFactor;
  return scaling.factor <= 1 ? 1 : 0.1 * std::log(scaling.factor) + 1;
}

Tensor YarnRotaryEmbedding::theta(int64_t dim, double base, const YarnScaling &scaling,
                                  Where where) {
  return asFloats(yarnFrequencies(dim, base, scaling, where), where);
}

Tensor YarnRotaryEmbedding::positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength,
                                                const YarnScaling &scaling, Where where) {
  return table(yarnFrequencies(dim, base, scaling, where), attentionFactor(scaling),
               maxSequenceLength, {}, {}, where);
}

YarnRotaryEmbedding::YarnRotaryEmbedding(int64_t dim, int64_t maxSequenceLength,
                                         const YarnScaling &scaling, double base,
                                         std::optional<DType> dtype, std::optional<Device> device,
                                         Where where)
    : weight(table(yarnFrequencies(dim, base, scaling, where), attentionFactor(scaling),
                   maxSequenceLength, dtype, device, where)) {}

static std::string beyondTable(const Dim &start, const Dim &stop, const Tensor &weight) {
  return fmt::format("[RotaryEmbedding] positions {} to {} are beyond the table of {} positions",
                     start.str(), stop.str(), weight.shape()[0].str());
}

/// Both forms: they differ in which elements make a pair.
static Tensor rotate(const Tensor &weight, const Tensor &x, const Dim &start, bool isTransposed,
                     Where where) {
  const Shape shape = x.shape(where);
  Dim half = weight.shape()[1];
  if (shape.rank() != 4 || shape[3] != half * Dim(2))
    throw TypeError(fmt::format("[RotaryEmbedding] x must be [batch, seq, heads, {}], not {}{}",
                                (half * Dim(2)).str(), x.type().str(), atLocation(where)));
  DType dtype = promote(x.dtype(), weight.dtype());
  Dim stop = start + shape[1];
  if (stop.isStatic() && weight.shape()[0].isStatic() && stop.value() > weight.shape()[0].value())
    throw ValueError(beyondTable(start, stop, weight) + atLocation(where));
  Tensor rows = weight.slice({Slice(start, stop)}, where);
  if (rows.handle() != weight.handle()) // not all of the table
    rows.handle()->requirement = beyondTable(start, stop, weight);
  Tensor angles = rows.unsqueeze(1, where).cast(dtype, where);
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

Tensor YarnRotaryEmbedding::operator()(const Tensor &x, const Dim &start, Where where) const {
  return rotate(weight, x, start, false, where);
}

static void describeTable(const Tensor &weight, Description &to) {
  to.field("dim", (weight.shape()[1] * Dim(2)).value())
      .field("max_sequence_length", weight.shape()[0].value());
}

void RotaryEmbedding::describe(Description &to) const { describeTable(weight, to); }
void YarnRotaryEmbedding::describe(Description &to) const { describeTable(weight, to); }
void TransposedRotaryEmbedding::describe(Description &to) const { describeTable(weight, to); }

} // namespace kiln::nn
