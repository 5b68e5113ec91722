// error: compile takes one TensorType for each argument of operator\(\)
#include <kiln/kiln.h>
using namespace kiln;

void use(const TensorType &type) { nn::Linear(2, 3).compile(type, type); }
