// error: a module derives from nn::Module of its own class
#include <kiln/kiln.h>
using namespace kiln;

struct Mine : nn::Linear {
  Mine() : nn::Linear(2, 3) {}
  Tensor extra;
  KILN_FIELDS(weight, bias, extra)
};
struct Net : nn::Module<Net> {
  Mine inner;
  KILN_FIELDS(inner)
};
void use(const Net &net) { net.parameters(); }
