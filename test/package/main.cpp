// A program of somebody who has the installed package only. Exit code 0 means that it computed the
// right thing.

#include <kiln/kiln.h>

#include <iostream>

using namespace kiln;

int main() {
  nn::Linear linear(2, 3);
  linear.loadStateDict(std::map<std::string, Tensor>{
      {"weight", Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}, {5.0f, 6.0f}})},
      {"bias", Tensor::constant({0.5f, 0.25f, -1.0f})}});
  auto model = linear.compile(TensorType(DType::float32, {"batch", 2}));

  auto x = Tensor::constant({{1.0f, 1.0f}, {2.0f, -1.0f}});
  auto compiled = model(x), eager = linear(x);
  std::cout << compiled << "\n";

  const std::vector<float> expected{3.5f, 7.25f, 10.0f, 0.5f, 2.25f, 3.0f}; // exact in float32
  return compiled.toVector<float>() == expected && eager.toVector<float>() == expected ? 0 : 1;
}
