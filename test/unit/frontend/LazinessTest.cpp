#include "frontend/PendingGraph.h"
#include "kiln/kiln.h"

#include <algorithm>
#include <gmock/gmock.h>

using namespace kiln;

namespace {

std::size_t numPending(const Tensor &x) {
  const std::shared_ptr<detail::Node> roots[] = {x.handle()};
  return detail::collectPending(roots).nodes.size();
}

int64_t numCompiles() { return runtimeStats().compiles + runtimeStats().diskHits; }

/// Runs 100,000 operations and gives how many graphs were compiled; nothing may pile up.
template <class Step> int64_t longLoop(Tensor &x, int rounds, Step &&step) {
  int64_t before = numCompiles();
  std::size_t most = 0;
  for (int i = 0; i < rounds; ++i) {
    x = step(x, i);
    if (i % 997 == 0)
      most = std::max(most, numPending(x));
  }
  EXPECT_LT(most, 5000u);
  return numCompiles() - before;
}

TEST(Laziness, ALoopWithoutAReadIsCutIntoEqualPieces) {
  Tensor x = Tensor::zeros({3});
  int64_t compiles = longLoop(x, 50000, [](const Tensor &t, int) { return (t + 1) * 1; });
  EXPECT_EQ(x.toVector<float>()[1], 50000);
  EXPECT_LE(compiles, 3);
}

TEST(Laziness, RoundsOfAnyLengthAndNumbersThatChange) {
  // Seven operations a round do not divide a piece; the counter is another number in each.
  Tensor x = Tensor::zeros({2}, DType::int64);
  int64_t compiles = longLoop(x, 15000, [](const Tensor &t, int i) {
    Tensor y = 2 * t + i;
    y = y - t;
    return -(-(y + 1)) - i;
  });
  EXPECT_EQ(x.toVector<int64_t>()[0], 15000);
  EXPECT_LE(compiles, 3);
}

TEST(Laziness, ANumberThatOnlySometimesChanges) {
  Tensor x = Tensor::zeros({2}, DType::int64);
  int64_t expected = 0;
  for (int i = 0; i < 20000; ++i)
    expected += i / 1000;
  int64_t compiles = longLoop(x, 20000, [](const Tensor &t, int i) { return t + i / 1000; });
  EXPECT_EQ(x.toVector<int64_t>()[1], expected);
  EXPECT_LE(compiles, 4);
}

TEST(Laziness, DroppedUnread) {
  Tensor x = Tensor::ones({2});
  for (int i = 0; i < 100000; ++i)
    x = x + x * 0;
  x = Tensor();
}

TEST(Laziness, PiecesEqualASingleGraph) {
  Tensor start = random::uniform({5}).realize(), lazy = start, read = start;
  for (int i = 0; i < 3000; ++i) {
    lazy = lazy * 0.999f + i * 1e-4;
    read = read * 0.999f + i * 1e-4;
    if (i % 500 == 0)
      read.realize();
  }
  EXPECT_EQ(lazy.toVector<float>(), read.toVector<float>());
}

TEST(Laziness, WhatIsHeldOnTheWayStaysRight) {
  std::vector<Tensor> kept;
  Tensor x = Tensor::zeros({}, DType::int64);
  for (int i = 0; i < 5000; ++i) {
    x = x + 1;
    if (i % 250 == 0)
      kept.push_back(x);
  }
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_EQ(kept[i].item<int64_t>(), static_cast<int64_t>(250 * i + 1));
  EXPECT_EQ(x.item<int64_t>(), 5000);
}

TEST(Laziness, AMistakeOfTheContentsIsThrownByTheRead) {
  Tensor table = Tensor::ones({4}), x = gather(table, Tensor::constant({9}));
  for (int i = 0; i < 2500; ++i)
    x = x + 1; // records, whatever the contents are
  EXPECT_THROW(x.realize(), IndexError);
}

TEST(Laziness, SumsOfDrawnTensors) {
  random::seed(4);
  Tensor x = Tensor::zeros({4}, DType::float64);
  std::vector<double> expected(4);
  int64_t before = numCompiles();
  for (int i = 0; i < 100000; ++i) {
    Tensor drawn = random::uniform({4}, 0, 1, DType::float64);
    for (std::size_t k = 0; k < 4; ++k)
      expected[k] += drawn.data<double>()[k];
    x += drawn;
  }
  EXPECT_THAT(x.toVector<double>(), testing::ElementsAreArray(expected));
  EXPECT_LE(numCompiles() - before, 3);
}

TEST(Laziness, TwoChainsThatGrowSideBySide) {
  Tensor a = Tensor::zeros({3}, DType::int64), b = Tensor::ones({2}, DType::int64);
  int64_t before = numCompiles();
  for (int i = 0; i < 50000; ++i) {
    a = a + 1;
    b = b - i;
  }
  EXPECT_EQ(a.toVector<int64_t>()[0], 50000);
  EXPECT_EQ(b.toVector<int64_t>()[1], 1 - int64_t{50000} * 49999 / 2);
  EXPECT_LE(numCompiles() - before, 6);
}

TEST(Laziness, ChainsThatMeet) {
  Tensor a = Tensor::constant({1L, 2L}), b = Tensor::constant({3L, 5L});
  int64_t before = numCompiles();
  int64_t x[2] = {1, 2}, y[2] = {3, 5};
  for (int i = 0; i < 25000; ++i) {
    Tensor next = a + b;
    b = (a - b) & 1023;
    a = next & 1023;
    for (int k = 0; k < 2; ++k) {
      int64_t sum = x[k] + y[k];
      y[k] = (x[k] - y[k]) & 1023;
      x[k] = sum & 1023;
    }
  }
  EXPECT_THAT(a.toVector<int64_t>(), testing::ElementsAre(x[0], x[1]));
  EXPECT_THAT(b.toVector<int64_t>(), testing::ElementsAre(y[0], y[1]));
  EXPECT_LE(numCompiles() - before, 6);
}

TEST(Laziness, DeepBranches) {
  // Each level uses the one below twice, so that a walk along paths would never end.
  std::vector<Tensor> levels = {Tensor::ones({2}, DType::uint64)};
  for (int i = 0; i < 5000; ++i)
    levels.push_back(levels.back() + levels[levels.size() / 2] + levels.back());
  std::vector<uint64_t> expected = {1};
  for (int i = 0; i < 5000; ++i)
    expected.push_back(2 * expected.back() + expected[expected.size() / 2]);
  EXPECT_EQ(levels.back().toVector<uint64_t>()[1], expected.back());
  EXPECT_EQ(levels[1234].toVector<uint64_t>()[0], expected[1234]);
}

TEST(Laziness, ANumberThatChangesFromReadToRead) {
  Tensor x = Tensor::ones({5}, DType::float32);
  int64_t before = numCompiles();
  for (int i = 0; i < 300; ++i) {
    std::vector<float> values = (x * i + 0.5).toVector<float>();
    ASSERT_EQ(values[4], static_cast<float>(i) + 0.5f);
  }
  EXPECT_LE(numCompiles() - before, 3); // two with the number in it, one that takes it
}

TEST(Laziness, PositionsThatChangeFromReadToRead) {
  Tensor x = Tensor::arange(0, 20000).reshape({100, 200}), y = x + 0;
  y.realize();
  int64_t before = numCompiles();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(x[i][2 * i].item<int64_t>(), 202 * i); // a view
    ASSERT_EQ(y.slice({Slice(), i}).toVector<int64_t>()[1], 200 + i);
    std::vector<int64_t> part = y.slice({Slice(i), Slice(i, 2 * i + 1, 2)}).toVector<int64_t>();
    ASSERT_EQ(part.size(), static_cast<std::size_t>((100 - i) * (i / 2 + 1)));
    ASSERT_EQ(part[0], 201 * i);
    ASSERT_EQ(part.back(), 99 * 200 + i + i / 2 * 2);
  }
  EXPECT_LE(numCompiles() - before, 8);
}

TEST(Laziness, ACacheThatGrowsByConcat) {
  // Keys and values of a decoder: one more row in each step, attended to by the newest query.
  random::seed(9);
  Tensor keys = random::normal({1, 2, 1, 8}), values = random::normal({1, 2, 1, 8});
  int64_t before = numCompiles();
  Tensor last;
  for (int i = 0; i < 200; ++i) {
    keys = concat({keys, random::normal({1, 2, 1, 8})}, 2);
    values = concat({values, random::normal({1, 2, 1, 8})}, 2);
    last = attention(random::normal({1, 2, 1, 8}), keys, values);
    last.realize();
  }
  EXPECT_EQ(keys.shape(), (Shape{1, 2, 201, 8}));
  EXPECT_TRUE(isFinite(last).toVector<bool>()[0]);
  EXPECT_LE(numCompiles() - before, 4);
}

} // namespace
