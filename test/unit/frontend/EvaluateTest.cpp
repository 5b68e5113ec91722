#include "kiln/kiln.h"

#include <cmath>
#include <gmock/gmock.h>
#include <thread>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// What is compiled while it lives.
class CompileCounter {
public:
  int64_t count() const { return made(runtimeStats()) - start; }

private:
  /// An artifact from the disk was compiled once, too.
  static int64_t made(const RuntimeStats &stats) { return stats.compiles + stats.diskHits; }
  int64_t start = made(runtimeStats());
};

TEST(Evaluate, ReadsComputeWhatIsPending) {
  Tensor x = Tensor::constant({1.0f, 2.0f, 3.0f});
  Tensor y = 2 * x - 1;
  EXPECT_FALSE(y.isRealized());
  EXPECT_THAT(y.toVector<float>(), ElementsAre(1, 3, 5));
  EXPECT_TRUE(y.isRealized());
  EXPECT_EQ((y + y).sum().item<float>(), 18);
}

TEST(Evaluate, ElementwiseValues) {
  Tensor a = Tensor::constant({7, -7, 7, -7}), b = Tensor::constant({3, 3, -3, -3});
  EXPECT_THAT(floorDiv(a, b).toVector<int>(), ElementsAre(2, -3, -3, 2));
  EXPECT_THAT((a % b).toVector<int>(), ElementsAre(1, 2, -2, -1));
  EXPECT_FLOAT_EQ((a / b).toVector<float>()[1], -7.0f / 3.0f);
  Tensor nan = Tensor::constant({NAN, 1.0f, 0.5f});
  EXPECT_EQ((nan < 1).toVector<bool>(), (std::vector<bool>{false, false, true}));
  EXPECT_EQ((nan != nan).toVector<bool>(), (std::vector<bool>{true, false, false}));
  EXPECT_EQ(isNan(nan).toVector<bool>(), (std::vector<bool>{true, false, false}));
  Tensor m = Tensor::constant({true, false});
  EXPECT_EQ((~m).toVector<bool>(), (std::vector<bool>{false, true}));
  EXPECT_EQ((m & true).toVector<bool>(), (std::vector<bool>{true, false}));
  EXPECT_THAT(where(m, Tensor::constant({1, 2}), 9).toVector<int>(), ElementsAre(1, 9));
  EXPECT_THAT(maskedFill(Tensor::constant({1.0f, 2.0f}), m, -1.0).toVector<float>(),
              ElementsAre(-1, 2));
  EXPECT_THAT(clamp(Tensor::constant({-2.0f, 0.0f, 2.0f}), -1, 1).toVector<float>(),
              ElementsAre(-1, 0, 1));
  EXPECT_EQ(logicalXor(Tensor::constant({0, 2}), true).toVector<bool>(),
            (std::vector<bool>{true, false}));
}

TEST(Evaluate, MovementValues) {
  Tensor x = Tensor::arange(0, 6).reshape({2, 3});
  EXPECT_THAT(x.T().toVector<int64_t>(), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(x[1].toVector<int64_t>(), ElementsAre(3, 4, 5));
  EXPECT_THAT(x.slice({Slice(), Slice(0, {}, 2)}).toVector<int64_t>(), ElementsAre(0, 2, 3, 5));
  EXPECT_THAT(x.slice({Slice(), -1}).toVector<int64_t>(), ElementsAre(2, 5));
  EXPECT_THAT(concat({x, x[0].unsqueeze(0)}).toVector<int64_t>(),
              ElementsAre(0, 1, 2, 3, 4, 5, 0, 1, 2));
  EXPECT_THAT(tile(Tensor::constant({1, 2}), {2}).toVector<int>(), ElementsAre(1, 2, 1, 2));
  EXPECT_THAT(repeatInterleave(Tensor::constant({1, 2}), 2).toVector<int>(),
              ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(gather(x, Tensor::constant({2, 0}), 1).toVector<int64_t>(), ElementsAre(2, 0, 5, 3));
  EXPECT_THAT(x.sum(0).toVector<int64_t>(), ElementsAre(3, 5, 7));
  EXPECT_THAT(x.max(1).toVector<int64_t>(), ElementsAre(2, 5));
  EXPECT_THAT(x.argmax(0).toVector<int64_t>(), ElementsAre(1, 1, 1));
  EXPECT_THAT(x.cast(DType::float32).mean(0).toVector<float>(), ElementsAre(1.5f, 2.5f, 3.5f));
}

TEST(Evaluate, ProductsOfVectorsAndMatrices) {
  Tensor x = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}}), v = Tensor::constant({1.0f, -1.0f});
  EXPECT_THAT(matmul(x, x).toVector<float>(), ElementsAre(7, 10, 15, 22));
  EXPECT_THAT(matmul(x, v).toVector<float>(), ElementsAre(-1, -1));
  EXPECT_THAT(matmul(v, x).toVector<float>(), ElementsAre(-2, -2));
  EXPECT_EQ(matmul(v, v).item<float>(), 2);
  EXPECT_THAT(outer(v, v).toVector<float>(), ElementsAre(1, -1, -1, 1));
}

TEST(Evaluate, EagerBatchesCompileOnce) {
  nn::Linear model(4, 3);
  model(Tensor::ones({2, 4})).realize();
  CompileCounter compiles;
  for (int64_t batch : {1, 3, 10, 4, 0}) {
    Tensor y = model(Tensor::ones({batch, 4}));
    EXPECT_EQ(y.toVector<float>().size(), static_cast<std::size_t>(3 * batch));
  }
  EXPECT_EQ(compiles.count(), 0);
}

TEST(Evaluate, EagerEqualsCompiledBitForBit) {
  nn::Sequential model(nn::Linear(6, 8), nn::GELU(), nn::LayerNorm(8), nn::Linear(8, 3));
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 6}));
  for (int64_t batch : {1, 3, 17}) {
    Tensor x = random::uniform({batch, 6}, -1, 1);
    EXPECT_EQ(model(x).toVector<float>(), compiled(x).toVector<float>());
  }
}

TEST(Evaluate, SeveralTensorsAreOneGraph) {
  Tensor x = Tensor::arange(0, 5).cast(DType::float32);
  Tensor a = exp(x) * 3, b = a - 5;
  CompileCounter compiles;
  realize(a, b);
  EXPECT_EQ(compiles.count(), 1);
  EXPECT_TRUE(a.isRealized() && b.isRealized());
}

TEST(Evaluate, WhatIsHeldIsNotComputedAgain) {
  Tensor x = Tensor::constant({1.0f, 2.0f});
  CompileCounter compiles;
  int64_t afterTwo = 0;
  for (int i = 0; i < 20; ++i) {
    x = x * 0.5 + 1;
    EXPECT_GT(x.sum().item<float>(), 0); // reads another tensor than x
    EXPECT_TRUE(x.isRealized());
    if (i == 1)
      afterTwo = compiles.count();
  }
  EXPECT_EQ(compiles.count(), afterTwo);
}

TEST(Evaluate, LongLoopsAreCut) {
  Tensor x = Tensor::zeros({3});
  for (int i = 0; i < 3000; ++i)
    x = x + 1;
  EXPECT_THAT(x.toVector<float>(), ElementsAre(3000, 3000, 3000));
}

TEST(Evaluate, ManyPartsAreJoinedAtOnce) {
  // One batch after the other is collected: hundreds of operands compile in reasonable time.
  constexpr int64_t count = 200;
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back(Tensor::full({1 + i % 3, 2}, static_cast<double>(i)));
  std::vector<float> values = concat(parts).toVector<float>();
  std::size_t at = 0;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t k = 0; k < 2 * (1 + i % 3); ++k)
      ASSERT_EQ(values.at(at++), static_cast<float>(i));
  EXPECT_EQ(at, values.size());
}

TEST(Evaluate, ZeroSizesWork) {
  Tensor x = Tensor::zeros({0, 4});
  EXPECT_TRUE((x + 1).toVector<float>().empty());
  EXPECT_THAT(x.sum(0).toVector<float>(), ElementsAre(0, 0, 0, 0));
}

TEST(Evaluate, IndicesOutsideAreErrors) {
  Tensor table = Tensor::ones({3, 2});
  for (int64_t wrong : {3, -1})
    try {
      gather(table, Tensor::constant({int64_t{0}, wrong})).realize();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const IndexError &error) {
      EXPECT_THAT(error.what(), HasSubstr(std::to_string(wrong)));
      EXPECT_THAT(error.what(), HasSubstr("[gather]"));
    }
}

TEST(Evaluate, ThreadsMayReadTheSameTensor) {
  for (int round = 0; round < 20; ++round) {
    Tensor x = Tensor::arange(0, 100).cast(DType::float32) * 2;
    std::vector<std::thread> threads;
    std::vector<float> sums(4);
    for (std::size_t i = 0; i < sums.size(); ++i)
      threads.emplace_back([&, i] { sums[i] = (x + 1).sum().item<float>(); });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_THAT(sums, testing::Each(10000.0f));
  }
}

TEST(Evaluate, AllClose) {
  Tensor x = Tensor::constant({1.0f, 2.0f});
  EXPECT_TRUE(allClose(x, x + 1e-7));
  EXPECT_FALSE(allClose(x, x + 1));
  EXPECT_FALSE(allClose(x, Tensor::constant({1.0f})));
  Tensor nan = Tensor::constant({NAN});
  EXPECT_FALSE(allClose(nan, nan));
  EXPECT_TRUE(allClose(nan, nan, 0, 0, true));
}

} // namespace
