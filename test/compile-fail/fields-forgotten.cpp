// error: this module has fields but lists none: add a public KILN_FIELDS
#include <kiln/kiln.h>
using namespace kiln;

struct Net : nn::Module<Net> {
  Tensor weight;
  Tensor operator()(const Tensor &x) const { return x * weight; }
};
void use(const Net &net) { net.parameters(); }
