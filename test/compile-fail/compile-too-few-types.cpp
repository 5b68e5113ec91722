// error: compile takes one TensorType for each argument of operator\(\)
#include <kiln/kiln.h>
using namespace kiln;

struct Sum : nn::Module<Sum> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};
void use(const TensorType &type) { Sum().compile(type); }
