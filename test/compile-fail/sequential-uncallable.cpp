// error: each module of a Sequential takes one Tensor and gives one
#include <kiln/kiln.h>
using namespace kiln;

struct Sum : nn::Module<Sum> {
  Tensor operator()(const Tensor &x, const Tensor &y) const { return x + y; }
};
void use() { nn::Sequential model(nn::Linear(2, 3), Sum()); }
