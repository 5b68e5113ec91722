#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

/// Rotates pairs of elements by an angle that grows with the position: pairs lie next to each other
/// (0 with 1, 2 with 3, …). Shapes: weight [positions, dim / 2, 2], cosines and sines;
/// x [batch, seq, heads, dim] -> the same. Computed in the wider dtype of both, then rounded to
/// that of x. Source: Su et al., RoFormer, arXiv:2104.09864.
struct RotaryEmbedding : Module<RotaryEmbedding> {
  Tensor weight;
  KILN_FIELDS(weight)

  /// Errors: ValueError unless the shape is [positions, dim / 2, 2].
  explicit RotaryEmbedding(Tensor weight, Where where = Where::current());
  /// Errors: ValueError for an odd dim.
  RotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base = 10000,
                  std::optional<DType> dtype = {}, std::optional<Device> device = {},
                  Where where = Where::current());

  Dim dim() const { return weight.shape()[1] * Dim(2); }
  Dim maxSequenceLength() const { return weight.shape()[0]; }

  /// base^(-2i / dim) for i in [0, dim / 2), float32.
  static Tensor theta(int64_t dim, double base = 10000, Where where = Where::current());
  /// [maxSequenceLength, dim / 2, 2]: cosine and sine of position * theta, float32.
  static Tensor positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength,
                                    Where where = Where::current());

  /// Position `start` is the first of x. Errors: TypeError for another last dim or rank; ValueError
  /// for positions beyond the table, of symbolic sizes when the compiled model is called.
  Tensor operator()(const Tensor &x, const Dim &start = 0, Where where = Where::current()) const;
  template <std::same_as<Where> W> Tensor operator()(const Tensor &x, W where) const {
    return (*this)(x, 0, where); // compiled by itself: its errors say where
  }
  void describe(Description &to) const;
};

/// The same with pairs half of the dim apart (0 with dim / 2, …), as Llama's weights are stored.
struct TransposedRotaryEmbedding : Module<TransposedRotaryEmbedding> {
  Tensor weight;
  KILN_FIELDS(weight)

  explicit TransposedRotaryEmbedding(Tensor weight, Where where = Where::current());
  TransposedRotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base = 10000,
                            std::optional<DType> dtype = {}, std::optional<Device> device = {},
                            Where where = Where::current());

  Dim dim() const { return weight.shape()[1] * Dim(2); }
  Dim maxSequenceLength() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, const Dim &start = 0, Where where = Where::current()) const;
  template <std::same_as<Where> W> Tensor operator()(const Tensor &x, W where) const {
    return (*this)(x, 0, where); // compiled by itself: its errors say where
  }
  void describe(Description &to) const;
};

/// How YaRN stretches positions beyond those that a model was trained on.
struct YarnScaling {
  double factor = 1;                   // the new length by the old one
  int64_t originalMaxPositions = 4096; // the old length
  double betaFast = 32; // pairs that turn more often than this over the old length stay as they are
  double betaSlow = 1;  // pairs that turn less often are slowed down by the factor
  bool truncate = true; // whole pairs as bounds of the ramp between the two
  /// Cosines and sines are multiplied by this; by default 0.1 ln(factor) + 1.
  std::optional<double> attentionFactor{};
};

/// A rotary embedding whose slow pairs are stretched to longer sequences; else as RotaryEmbedding.
/// For pairs half of the dim apart: TransposedRotaryEmbedding(YarnRotaryEmbedding::
/// positionalEmbedding(…)). Source: Peng et al., YaRN, arXiv:2309.00071.
struct YarnRotaryEmbedding : Module<YarnRotaryEmbedding> {
  Tensor weight;
  KILN_FIELDS(weight)

  /// Errors: ValueError for an odd dim, and for a scaling that is none: factor and lengths are
  /// positive, betaFast > betaSlow > 0, base > 1.
  YarnRotaryEmbedding(int64_t dim, int64_t maxSequenceLength, const YarnScaling &scaling,
                      double base = 10000, std::optional<DType> dtype = {},
                      std::optional<Device> device = {}, Where where = Where::current());

  Dim dim() const { return weight.shape()[1] * Dim(2); }
  Dim maxSequenceLength() const { return weight.shape()[0]; }

  /// [dim / 2], float32: the angle of each pair from one position to the next.
  static Tensor theta(int64_t dim, double base, const YarnScaling &scaling,
                      Where where = Where::current());
  /// [maxSequenceLength, dim / 2, 2], float32.
  static Tensor positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength,
                                    const YarnScaling &scaling, Where where = Where::current());

  Tensor operator()(const Tensor &x, const Dim &start = 0, Where where = Where::current()) const;
  template <std::same_as<Where> W> Tensor operator()(const Tensor &x, W where) const {
    return (*this)(x, 0, where);
  }
  void describe(Description &to) const;
};

} // namespace kiln::nn
