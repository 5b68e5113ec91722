#pragma once

#include "kiln/Module.h"
#include "kiln/Ops.h"

/// Activations as modules.
namespace kiln::nn {

struct ReLU : Module<ReLU> {
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return relu(x, where);
  }
};
struct SiLU : Module<SiLU> {
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return silu(x, where);
  }
};
struct Tanh : Module<Tanh> {
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return tanh(x, where);
  }
};
struct Sigmoid : Module<Sigmoid> {
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return sigmoid(x, where);
  }
};
struct GELU : Module<GELU> {
  std::string approximate; // "none", "tanh" or "quick": see kiln::gelu

  /// Errors: ValueError for another text.
  explicit GELU(std::string approximate = "none", Where where = Where::current());
  void describe(Description &to) const { to.field("approximate", approximate, "none"); }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return gelu(x, approximate, where);
  }
};
struct Softmax : Module<Softmax> {
  int64_t axis;

  explicit Softmax(int64_t axis = -1) : axis(axis) {}
  void describe(Description &to) const { to.field("axis", axis, -1); }
  Tensor operator()(const Tensor &x, Where where = Where::current()) const {
    return softmax(x, axis, where);
  }
};
struct Identity : Module<Identity> {
  Tensor operator()(const Tensor &x) const { return x; }
};

/// For inference: gives its input.
struct Dropout : Module<Dropout> {
  double p;

  explicit Dropout(double p = 0.5) : p(p) {}
  void describe(Description &to) const { to.field("p", p, 0.5); }
  Tensor operator()(const Tensor &x) const { return x; }
};

/// silu, swish, gelu, gelu_tanh, gelu_quick, quick_gelu, relu, tanh or sigmoid.
/// Errors: ValueError for another name.
AnyModule activation(std::string_view name, Where where = Where::current());

} // namespace kiln::nn
