#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

struct EmbeddingOptions {
  std::optional<Dim> dim{}; // of one vector, or
  std::vector<Dim> dims{};  // of one entry with several dims
  std::optional<DType> dtype{};
  std::optional<Device> device{};
};

/// Rows of a table. Shapes: weight [vocab, dims...]; indices [...] of integers -> [..., dims...].
/// Initial values: normal(0, 1), made when first read.
struct Embedding : Module<Embedding> {
  Tensor weight;
  KILN_FIELDS(weight)

  /// Errors: TypeError unless exactly one of dim and dims is given.
  Embedding(const Dim &vocabSize, const EmbeddingOptions &options, Where where = Where::current());
  /// With a table that is there already. Errors: ValueError below rank 2.
  explicit Embedding(Tensor table, Where where = Where::current());

  Dim vocabSize() const { return weight.shape()[0]; }
  /// Errors: TypeError for an embedding of several dims.
  Dim dim(Where where = Where::current()) const;
  Shape dims() const;
  Tensor operator()(const Tensor &indices, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
