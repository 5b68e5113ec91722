// What the other files get wrong, right: this must compile.
#include <kiln/kiln.h>
using namespace kiln;

struct Scale : nn::Module<Scale> {
  Tensor weight;
  double factor = 2;
  KILN_FIELDS(weight, factor)
  Tensor operator()(const Tensor &x) const { return x * weight * factor; }
};
struct Extended : nn::Module<Extended> {
  Scale base;
  std::shared_ptr<nn::Linear> shared;
  std::optional<nn::LayerNorm> norm{};
  KILN_FIELDS(base, shared, norm)
  std::pair<Tensor, Tensor> operator()(const Tensor &x, const Tensor &y) const {
    return {base(x), (*shared)(y)};
  }
};

void use(const Tensor &x, const TensorType &type) {
  Tensor one = Scale{.weight = x}.compile(type)(x);
  std::pair<Tensor, Tensor> two = Extended().compile(type, type)(x, x);
  nn::Sequential model(Scale{.weight = x}, nn::GELU(), std::make_shared<nn::Linear>(2, 2));
  nn::AnyModule any = Scale{.weight = x};
  Extended copy = Extended().mapParameters([](auto &, const Tensor &t) { return t; });
  copy.loadState([&](const std::string &) { return x; });
}
