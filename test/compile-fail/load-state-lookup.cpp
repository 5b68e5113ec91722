// error: loadState takes lookup\(name\) -> Tensor
#include <kiln/kiln.h>
using namespace kiln;

void use(nn::Linear &linear) {
  linear.loadState([](const std::string &name) { return name; });
}
