// error: no match for call|no matching function for call
#include <kiln/kiln.h>
using namespace kiln;

struct Sum : nn::Module<Sum> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};
void use(const Tensor &x, const TensorType &type) {
  auto model = Sum().compile(type, type);
  model(x);
}
