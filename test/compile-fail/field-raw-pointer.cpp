// error: a field in KILN_FIELDS is no raw pointer to a tensor or a module
#include <kiln/kiln.h>
using namespace kiln;

struct Net : nn::Module<Net> {
  nn::Linear *inner;
  KILN_FIELDS(inner)
};
void use(const Net &net) { net.parameters(); }
