// A model in the style of GPT-2 on random weights: compiled once for every batch and length, it
// gives bit for bit what it gives eagerly.
#include "Gpt2.h"

#include <iostream>

using namespace kiln;

int main() {
  random::seed(1);
  gpt2::Gpt2 model{gpt2::Config()};
  std::cout << model << "\n";
  auto compiled = model.compile(TensorType(DType::int64, {"batch", "seq"}));
  for (auto [batch, seq] : {std::pair<int64_t, int64_t>{1, 1}, {2, 7}, {1, 64}}) {
    Tensor ids = (Tensor::arange(0, batch * seq) * 37 % 500).reshape({batch, seq});
    Tensor eager = model(ids), logits = compiled(ids);
    if (logits.shape() != Shape{batch, seq, 500} ||
        logits.toVector<float>() != eager.toVector<float>()) {
      std::cerr << "eager and compiled differ for " << ids.shape() << "\n";
      return 1;
    }
    std::cout << ids.shape() << " -> " << logits.shape() << "\n";
  }
  // A longer text than there are positions is an error.
  try {
    compiled(Tensor::zeros({1, 65}, DType::int64));
    return 1;
  } catch (const Error &error) {
    std::cout << error.what() << "\n";
  }
}
