// error: no match for call|no matching function for call
#include <kiln/kiln.h>
using namespace kiln;

void use(const TensorType &type) {
  auto model = nn::Linear(2, 3).compile(type);
  model(3);
}
