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

} // namespace
