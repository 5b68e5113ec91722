#pragma once

#include "kiln/Module.h"
#include "kiln/Ops.h"

/// Activations as modules.
namespace kiln::nn {

struct ReLU : Module<ReLU> {
  Tensor operator()(const Tensor &x) const { return relu(x); }
};
struct SiLU : Module<SiLU> {
  Tensor operator()(const Tensor &x) const { return silu(x); }
};
struct Tanh : Module<Tanh> {
  Tensor operator()(const Tensor &x) const { return tanh(x); }
};
struct Sigmoid : Module<Sigmoid> {
  Tensor operator()(const Tensor &x) const { return sigmoid(x); }
};
struct GELU : Module<GELU> {
  std::string approximate = "none"; // see kiln::gelu
  KILN_FIELDS(approximate)
  Tensor operator()(const Tensor &x) const { return gelu(x, approximate); }
};
struct Softmax : Module<Softmax> {
  int64_t axis = -1;
  KILN_FIELDS(axis)
  Tensor operator()(const Tensor &x) const { return softmax(x, axis); }
};
struct Identity : Module<Identity> {
  Tensor operator()(const Tensor &x) const { return x; }
};

/// For inference: gives its input.
struct Dropout : Module<Dropout> {
  double p = 0.5;
  KILN_FIELDS(p)
  Tensor operator()(const Tensor &x) const { return x; }
};

/// silu, swish, gelu, gelu_tanh, gelu_quick, quick_gelu, relu, tanh or sigmoid.
/// Errors: ValueError for another name.
AnyModule activation(std::string_view name);

} // namespace kiln::nn
