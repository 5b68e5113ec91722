#include "kiln/nn/Activations.h"

#include <fmt/format.h>

namespace kiln::nn {

GELU::GELU(std::string approximate, Where where) : approximate(std::move(approximate)) {
  if (this->approximate != "none" && this->approximate != "tanh" && this->approximate != "quick")
    throw ValueError(fmt::format("[GELU] approximate is \"none\", \"tanh\" or \"quick\", not "
                                 "\"{}\"{}",
                                 this->approximate, atLocation(where)));
}

AnyModule activation(std::string_view name, Where where) {
  if (name == "silu" || name == "swish")
    return SiLU();
  if (name == "gelu")
    return GELU();
  if (name == "gelu_tanh")
    return GELU("tanh");
  if (name == "gelu_quick" || name == "quick_gelu")
    return GELU("quick");
  if (name == "relu")
    return ReLU();
  if (name == "tanh")
    return Tanh();
  if (name == "sigmoid")
    return Sigmoid();
  throw ValueError(fmt::format("[activation] Unrecognized activation function name: \"{}\"; there "
                               "are silu, swish, gelu, gelu_tanh, gelu_quick, quick_gelu, relu, "
                               "tanh and sigmoid{}",
                               name, atLocation(where)));
}

} // namespace kiln::nn
