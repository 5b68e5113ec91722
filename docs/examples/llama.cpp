// A model in the style of Llama on random weights: compiled once for every batch and length.
#include "Llama.h"

#include <iostream>

using namespace kiln;

int main() {
  random::seed(1);
  llama::Llama model{llama::Config()};
  std::cout << model << "\n";
  auto compiled = model.compile(TensorType(DType::int64, {"batch", "seq"}));
  for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {3, 9}, {1, 48}}) {
    Tensor ids = (Tensor::arange(0, batch * seq) * 37 % 500).reshape({batch, seq});
    Tensor eager = model(ids), logits = compiled(ids);
    if (logits.shape() != Shape{batch, seq, 500} ||
        logits.toVector<float>() != eager.toVector<float>()) {
      std::cerr << "eager and compiled differ for " << ids.shape() << "\n";
      return 1;
    }
    std::cout << ids.shape() << " -> " << logits.shape() << "\n";
  }
  // A longer text than the table of angles has positions is an error.
  try {
    compiled(Tensor::zeros({1, 49}, DType::int64));
    return 1;
  } catch (const Error &error) {
    std::cout << error.what() << "\n";
  }
}
