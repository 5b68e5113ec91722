// error: ModuleLike|no matching function for call to .*Sequential
#include <kiln/kiln.h>
using namespace kiln;

void use() { nn::Sequential model(nn::Linear(2, 3), 5); }
