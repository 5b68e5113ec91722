//===- Weights.h - Weights of another precision -------------------------------===//
#pragma once

#include <string>

#include <kiln/kiln.h>

namespace kiln::tools {

/// Rounds all float32 parameters of `model` to `dtype`, now.
template <class Model> void roundWeights(Model &model, DType dtype) {
  if (dtype == DType::float32)
    return;
  model.applyToParameters([&](const std::string &, const Tensor &weight) {
    Tensor rounded = weight.cast(dtype);
    rounded.realize();
    return rounded;
  });
}

} // namespace kiln::tools
