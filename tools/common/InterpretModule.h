//===- InterpretModule.h - A module in the interpreter ------------------------===//
#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include <kiln/kiln.h>

namespace kiln::tools {

/// What the interpreter, the meaning of operations, computes of what `body` records; slow, and
/// needs the compiler's library. One result. Errors: those of tracing and of the interpreter.
Tensor interpretTraced(const std::vector<Tensor> &inputs,
                       const std::vector<std::pair<std::string, Tensor>> &parameters,
                       const std::function<Tensor(const Tensor *)> &body);

/// A module's result with all its numbers in float64: what its results in smaller dtypes should be.
/// Parameters and inputs are taken as they are, rounded to their dtypes.
template <class Model, std::same_as<Tensor>... Inputs>
Tensor interpretInFloat64(const Model &model, const Inputs &...inputs) {
  auto widened = [](const Tensor &tensor) {
    const Tensor here = tensor.to(CPU());
    return isFloat(here.dtype()) ? here.cast(DType::float64) : here;
  };
  const Model wide = model.mapParameters(
      [&](const std::string &, const Tensor &weight) { return widened(weight); });
  return interpretTraced({widened(inputs)...}, wide.parameters(), [&](const Tensor *x) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return wide(x[I]...);
    }(std::make_index_sequence<sizeof...(Inputs)>());
  });
}

} // namespace kiln::tools
