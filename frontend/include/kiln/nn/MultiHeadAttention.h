#pragma once

#include "kiln/nn/Linear.h"

namespace kiln::nn {

struct MultiHeadAttentionOptions {
  int64_t kvHeads = 0; // heads of key and value; 0: as many as of the query
  bool bias = true;
  bool causal = false; // a position attends to itself and to those before it
  std::optional<DType> dtype{};
  std::optional<Device> device{};
};

/// Boolean [size, size]: true where a row may attend to a column that is not behind it.
Tensor causalMask(const Dim &size, Device device = CPU(), Where where = Where::current());

/// Attention of every position to every position, in several heads.
/// Shapes: x [..., S, dim], mask broadcast to [..., heads, S, S] -> [..., S, dim].
struct MultiHeadAttention : Module<MultiHeadAttention> {
  Linear query, key, value, output;
  KILN_FIELDS(query, key, value, output)

  /// Errors: ValueError unless heads divides dim and kvHeads divides heads.
  MultiHeadAttention(int64_t dim, int64_t heads, const MultiHeadAttentionOptions &options = {},
                     Where where = Where::current());

  int64_t dim() const { return numHeads * headDim; }
  int64_t heads() const { return numHeads; }
  /// See kiln::attention for the mask; a causal one comes on top of it.
  Tensor operator()(const Tensor &x, const std::optional<Tensor> &mask = {},
                    Where where = Where::current()) const;
  template <std::same_as<Where> W> Tensor operator()(const Tensor &x, W where) const {
    return (*this)(x, std::nullopt, where); // compiled by itself: its errors say where
  }
  /// Attends from x [..., Sq, dim] to `context` [..., Sk, dim].
  /// Errors: ValueError if it is causal and Sq is not Sk.
  Tensor attend(const Tensor &x, const Tensor &context, const std::optional<Tensor> &mask = {},
                Where where = Where::current()) const;
  void describe(Description &to) const;

private:
  int64_t numHeads, numKvHeads, headDim;
  bool isCausal;
};

} // namespace kiln::nn
