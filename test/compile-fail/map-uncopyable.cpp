// error: mapParameters copies the module, and this one cannot be copied
#include <kiln/kiln.h>
using namespace kiln;

struct Net : nn::Module<Net> {
  std::unique_ptr<nn::Linear> inner;
  KILN_FIELDS(inner)
};
void use(const Net &net) {
  net.mapParameters([](auto &, const Tensor &x) { return x; });
}
