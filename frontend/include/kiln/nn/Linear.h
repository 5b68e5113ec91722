#pragma once

#include "kiln/Module.h"
#include "kiln/Quantization.h"

namespace kiln::nn {

/// x @ weightᵀ + bias. Shapes: weight [out, in], bias [out]; x [..., in] -> [..., out].
/// Initial values: uniform in ±1/sqrt(in), made when first read; packed weights are zeros.
struct Linear : Module<Linear> {
  Tensor weight;
  std::optional<Tensor> bias;
  /// Set: the weight is the uint8 tensor [out, packedRowBytes(encoding, in)], as io::openGguf gives
  /// it. It stays packed in memory and is decoded block by block as it is multiplied, with x in
  /// float32 (CompileOptions::quantizedActivations: in int8).
  std::optional<QuantizationEncoding> quantizationEncoding{};
  KILN_FIELDS(weight, bias)

  /// Errors: TypeError for a symbolic or negative dim.
  Linear(const Dim &in, const Dim &out, bool bias = true, std::optional<DType> dtype = {},
         std::optional<Device> device = {}, Where where = Where::current());
  /// With parameters that are there already. Errors: ValueError unless they are [out, in] and
  /// [out].
  explicit Linear(Tensor weight, std::optional<Tensor> bias = {}, Where where = Where::current());

  /// With a packed weight, and a bias of float32. Errors: as above; ValueError if `in` is no
  /// multiple of the encoding's blocks.
  Linear(const Dim &in, const Dim &out, QuantizationEncoding encoding, bool bias = true,
         std::optional<Device> device = {}, Where where = Where::current());
  /// With a packed weight that is there already. Errors: TypeError unless it is uint8; ValueError
  /// unless it is of rank 2, with rows of whole blocks, and the bias [out].
  Linear(Tensor weight, QuantizationEncoding encoding, std::optional<Tensor> bias = {},
         Where where = Where::current());

  Dim inDim() const;
  Dim outDim() const { return weight.shape()[0]; }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const;
  void describe(Description &to) const;
};

} // namespace kiln::nn
