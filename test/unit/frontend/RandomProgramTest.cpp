#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <random>

using namespace kiln;

namespace {

/// A program drawn at random: each step takes tensors [batch, seq, 8] and gives one.
struct RandomProgram : nn::Module<RandomProgram> {
  unsigned seed = 0;
  nn::Linear first{8, 8}, second{8, 16}, third{16, 8};
  nn::LayerNorm norm{8};
  nn::MultiHeadAttention attention{8, 2};
  KILN_FIELDS(first, second, third, norm, attention)

  Tensor step(unsigned kind, const Tensor &x, const Tensor &y) const {
    Dim batch = x.shape()[0], seq = x.shape()[1];
    switch (kind) {
    case 0:
      return first(x) + y;
    case 1:
      return third(gelu(second(x)));
    case 2:
      return norm(x + y);
    case 3:
      return softmax(x, -1) * y;
    case 4:
      return where(x > y, x, y * 0.5);
    case 5:
      return x.reshape({-1, 8}).reshape({batch, seq, 8}) - y.mean(-1);
    case 6:
      return x.reshape({batch, seq, 2, 4}).transpose(1, 2).transpose(1, 2).flatten(-2, -1);
    case 7:
      return concat({x.slice({ellipsis, Slice(4, {})}), y.slice({ellipsis, Slice(0, 4)})}, -1);
    case 8:
      return x + y.slice({Slice(), Slice(-1, {})}); // the last position, broadcast
    case 9:
      return x * y.sum(1) + tanh(y).max(0);
    case 10:
      return attention(x) + y;
    case 11:
      return x - y.slice({Slice(), 0}).unsqueeze(1);
    default:
      return maximum(abs(x), sigmoid(y));
    }
  }

  Tensor operator()(const Tensor &x) const {
    std::mt19937 draw(seed);
    std::vector<Tensor> values = {x};
    auto any = [&] { return values[draw() % values.size()]; };
    for (int i = 0; i < 6; ++i) {
      unsigned kind = draw() % 13;
      Tensor left = any(), right = any();
      values.push_back(step(kind, left, right));
    }
    return values.back() + values[values.size() - 2];
  }
};

class RandomPrograms : public testing::TestWithParam<unsigned> {};

TEST_P(RandomPrograms, EagerAndCompiledAgreeBitForBitAtAllSizes) {
  random::seed(GetParam());
  RandomProgram program;
  program.seed = GetParam();
  auto compiled = program.compile(TensorType(DType::float32, {"batch", "seq", 8}));
  program(random::normal({3, 5, 8})).realize();
  int64_t before = runtimeStats().compiles + runtimeStats().diskHits;
  for (auto [batch, seq] : {std::pair{3, 5}, {2, 7}, {8, 8}, {4, 2}}) {
    Tensor x = random::normal({batch, seq, 8});
    Tensor expected = compiled(x);
    ASSERT_EQ(program(x).toVector<float>(), expected.toVector<float>())
        << "batch " << batch << ", seq " << seq;
  }
  EXPECT_EQ(runtimeStats().compiles + runtimeStats().diskHits, before);
  // Sizes of 1 broadcast where others do not: other programs, equal results.
  for (auto [batch, seq] : {std::pair{1, 5}, {1, 1}, {3, 1}}) {
    Tensor x = random::normal({batch, seq, 8});
    ASSERT_EQ(program(x).toVector<float>(), compiled(x).toVector<float>())
        << "batch " << batch << ", seq " << seq;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPrograms, testing::Range(0u, 16u));

} // namespace
