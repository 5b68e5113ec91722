// error: operator\(\) of a module that is compiled gives a Tensor, or a tuple
#include <kiln/kiln.h>
using namespace kiln;

struct Counts : nn::Module<Counts> {
  int64_t operator()(const Tensor &x) const { return x.rank(); }
};
void use(const TensorType &type) { Counts().compile(type); }
