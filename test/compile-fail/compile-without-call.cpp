// error: compile takes one TensorType for each argument of operator\(\)
#include <kiln/kiln.h>
using namespace kiln;

struct Holder : nn::Module<Holder> {
  nn::Linear inner{2, 3};
  KILN_FIELDS(inner)
};
void use(const TensorType &type) { Holder().compile(type); }
