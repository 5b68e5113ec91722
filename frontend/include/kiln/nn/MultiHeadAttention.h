#pragma once

#include "kiln/nn/Linear.h"

namespace kiln::nn {

struct MultiHeadAttentionOptions {
  int64_t kvHeads = 0; // heads of key and value; 0: as many as of the query
  bool bias = true;
  std::optional<DType> dtype{};
  std::optional<Device> device{};
};

/// Attention of every position to every position, in several heads.
/// Shapes: x [..., S, dim], mask broadcast to [..., heads, S, S] -> [..., S, dim].
struct MultiHeadAttention : Module<MultiHeadAttention> {
  Linear query, key, value, output;
  KILN_FIELDS(query, key, value, output)

  /// Errors: ValueError unless heads divides dim and kvHeads divides heads.
  MultiHeadAttention(int64_t dim, int64_t heads, const MultiHeadAttentionOptions &options = {});

  int64_t dim() const { return numHeads * headDim; }
  int64_t heads() const { return numHeads; }
  /// See kiln::attention for the mask.
  Tensor operator()(const Tensor &x, const std::optional<Tensor> &mask = {},
                    Where where = Where::current()) const;
  /// Attends from x [..., Sq, dim] to `context` [..., Sk, dim].
  Tensor attend(const Tensor &x, const Tensor &context, const std::optional<Tensor> &mask = {},
                Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  int64_t numHeads, numKvHeads, headDim;
};

} // namespace kiln::nn
