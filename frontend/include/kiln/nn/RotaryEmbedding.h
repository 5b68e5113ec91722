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
  explicit RotaryEmbedding(Tensor weight);
  /// Errors: ValueError for an odd dim.
  RotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base = 10000,
                  std::optional<DType> dtype = {}, std::optional<Device> device = {});

  Dim dim() const { return weight.shape()[1] * Dim(2); }
  Dim maxSequenceLength() const { return weight.shape()[0]; }

  /// base^(-2i / dim) for i in [0, dim / 2), float32.
  static Tensor theta(int64_t dim, double base = 10000);
  /// [maxSequenceLength, dim / 2, 2]: cosine and sine of position * theta, float32.
  static Tensor positionalEmbedding(int64_t dim, double base, int64_t maxSequenceLength);

  /// Position `start` is the first of x. Errors: TypeError for another last dim or rank; ValueError
  /// for positions beyond the table, of symbolic sizes when the compiled model is called.
  Tensor operator()(const Tensor &x, const Dim &start = 0, Where where = Where::current()) const;
  void describe(Description &to) const;
};

/// The same with pairs half of the dim apart (0 with dim / 2, …), as Llama's weights are stored.
struct TransposedRotaryEmbedding : Module<TransposedRotaryEmbedding> {
  Tensor weight;
  KILN_FIELDS(weight)

  explicit TransposedRotaryEmbedding(Tensor weight);
  TransposedRotaryEmbedding(int64_t dim, int64_t maxSequenceLength, double base = 10000,
                            std::optional<DType> dtype = {}, std::optional<Device> device = {});

  Dim dim() const { return weight.shape()[1] * Dim(2); }
  Dim maxSequenceLength() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, const Dim &start = 0, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
