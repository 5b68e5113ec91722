// What is remembered of a pending graph must tell apart all that its code depends on.
#include "kiln/kiln.h"

#include <cmath>
#include <functional>
#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;

namespace {

int64_t compilesOf(const std::function<void()> &work) {
  int64_t before = runtimeStats().compiles + runtimeStats().diskHits;
  work();
  return runtimeStats().compiles + runtimeStats().diskHits - before;
}

TEST(GraphMemo, TheSameAgainIsAHitInMemory) {
  Tensor x = Tensor::constant({3.5f, -1.25f, 7.0f});
  auto work = [&] { (relu(x) * 0.37109375f + 11).realize(); };
  work();
  int64_t hits = runtimeStats().memoryHits;
  EXPECT_EQ(compilesOf([&] { work(), work(), work(); }), 0);
  EXPECT_EQ(runtimeStats().memoryHits, hits + 3);
}

TEST(GraphMemo, OperationsAreToldApart) {
  Tensor x = Tensor::constant({1.0f, -2.0f});
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT((x + 1.0f).toVector<float>(), ElementsAre(2, -1));
    EXPECT_THAT((x - 1.0f).toVector<float>(), ElementsAre(0, -3));
    EXPECT_THAT((1.0f - x).toVector<float>(), ElementsAre(0, 3));
    EXPECT_THAT(relu(x).toVector<float>(), ElementsAre(1, 0));
    EXPECT_THAT(abs(x).toVector<float>(), ElementsAre(1, 2));
  }
}

TEST(GraphMemo, NumbersAreToldApartByTheirBits) {
  Tensor x = Tensor::constant({1.0f});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ((x / 0.0f).item<float>(), INFINITY);
    EXPECT_EQ((x / -0.0f).item<float>(), -INFINITY);
    EXPECT_EQ((x * 2.0f).item<float>(), 2);
    EXPECT_EQ((x * 3.0f).item<float>(), 3);
  }
}

TEST(GraphMemo, SizesAxesAndDTypesAreToldApart) {
  for (int round = 0; round < 2; ++round)
    for (int64_t n : {0, 1, 2, 5}) {
      Tensor x = Tensor::ones({n, 3}, DType::float32);
      EXPECT_EQ(x.sum(0).shape(), (Shape{1, 3}));
      EXPECT_EQ(x.sum(1).shape(), (Shape{n, 1}));
      EXPECT_EQ((x + x).toVector<float>().size(), static_cast<std::size_t>(3 * n));
      Tensor y = Tensor::ones({n, 3}, DType::int64);
      EXPECT_EQ((y + y).toVector<int64_t>().size(), static_cast<std::size_t>(3 * n));
      EXPECT_EQ(x.permute({1, 0}).reshape({-1}).numElements(), 3 * n);
    }
}

TEST(GraphMemo, WhichOperandIsWhichIsToldApart) {
  Tensor a = Tensor::constant({8.0f}), b = Tensor::constant({2.0f});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ((a / b).item<float>(), 4);
    EXPECT_EQ((b / a).item<float>(), 0.25f);
    EXPECT_EQ((a - a).item<float>(), 0);
    EXPECT_EQ((a - b).item<float>(), 6);
  }
}

TEST(GraphMemo, BoundsOfSlicesAreToldApart) {
  Tensor x = Tensor::arange(0, 10);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT((x.slice({Slice(0, 3)}) + 1).toVector<int64_t>(), ElementsAre(1, 2, 3));
    EXPECT_THAT((x.slice({Slice(7, {})}) + 1).toVector<int64_t>(), ElementsAre(8, 9, 10));
    EXPECT_THAT((x.slice({Slice(-2, {})}) + 1).toVector<int64_t>(), ElementsAre(9, 10));
    EXPECT_THAT((x.slice({Slice(1, 9, 4)}) + 1).toVector<int64_t>(), ElementsAre(2, 6));
  }
}

} // namespace
