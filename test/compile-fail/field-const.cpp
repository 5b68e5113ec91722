// error: a field in KILN_FIELDS that holds tensors or modules is not const
#include <kiln/kiln.h>
using namespace kiln;

struct Net : nn::Module<Net> {
  const Tensor weight;
  KILN_FIELDS(weight)
};
void use(const Net &net) { net.parameters(); }
