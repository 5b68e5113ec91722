// error: this module has fields but lists none: add a public KILN_FIELDS
#include <kiln/kiln.h>
using namespace kiln;

class Net : public nn::Module<Net> {
  Tensor weight;
  KILN_FIELDS(weight)
};
void use(const Net &net) { net.parameters(); }
