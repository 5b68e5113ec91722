#pragma once

#include "frontend/RandomFill.h"
#include "kiln/Module.h"

namespace kiln::nn {

/// The type of a layer's parameter; dtype and device default to the default ones.
/// Errors: TypeError for a symbolic or negative dim.
TensorType parameterType(const char *layer, const Shape &shape, std::optional<DType> dtype,
                         std::optional<Device> device, Where where);

/// Errors: ValueError unless eps is positive and finite.
void checkEpsilon(const char *layer, double eps, Where where);

/// Errors: ValueError unless the last dim of x is `dim`.
void checkLastDim(const char *layer, const Tensor &x, const Dim &dim, Where where);

} // namespace kiln::nn
