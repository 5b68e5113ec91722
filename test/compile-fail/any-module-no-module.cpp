// error: IsModule|conversion from .* requested|no viable conversion
#include <kiln/kiln.h>
using namespace kiln;

struct Plain {
  Tensor operator()(const Tensor &x) const { return x; }
};
void use() { nn::AnyModule any = Plain(); }
