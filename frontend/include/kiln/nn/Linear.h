#pragma once

#include "kiln/Module.h"

namespace kiln::nn {

/// x @ weightᵀ + bias. Shapes: weight [out, in], bias [out]; x [..., in] -> [..., out].
/// Initial values: uniform in ±1/sqrt(in), made when first read.
struct Linear : Module<Linear> {
  Tensor weight;
  std::optional<Tensor> bias;
  KILN_FIELDS(weight, bias)

  /// Errors: TypeError for a symbolic or negative dim.
  Linear(const Dim &in, const Dim &out, bool bias = true, std::optional<DType> dtype = {},
         std::optional<Device> device = {}, Where where = Where::current());
  /// With parameters that are there already. Errors: ValueError unless they are [out, in] and
  /// [out].
  explicit Linear(Tensor weight, std::optional<Tensor> bias = {}, Where where = Where::current());

  Dim inDim() const { return weight.shape()[1]; }
  Dim outDim() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
