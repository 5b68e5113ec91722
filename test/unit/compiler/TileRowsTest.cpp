// How rows are cut into tiles.
#include "passes/cpu/TileRows.h"

#include <gtest/gtest.h>

using namespace kiln::passes;

namespace {

/// The tiles of `rows`, in order.
std::vector<int64_t> cut(const TileKinds &kinds, int64_t rows) {
  llvm::SmallVector<int64_t> first = firstTiles(kinds);
  std::vector<int64_t> tiles;
  for (; rows > 0; rows -= tiles.back())
    tiles.push_back(first[rows]);
  EXPECT_EQ(rows, 0) << "tiles compute no rows beyond the last";
  return tiles;
}

TEST(TileRows, EveryNumberOfRowsIsTilesThatThereAre) {
  for (const std::vector<int64_t> &rows :
       {std::vector<int64_t>{12, 6, 5, 4, 3, 2, 1}, {6, 4, 1}, {1}})
    for (int64_t inFlight : {1, 6, 8, 100})
      for (int64_t count = 0; count < 2 * rows.front(); ++count)
        for (int64_t tile : cut({rows, 2, inFlight}, count))
          EXPECT_TRUE(llvm::is_contained(rows, tile)) << tile << " of " << count;
}

// A row alone waits for its own sums: it goes into a tile with others where there are any.
TEST(TileRows, NoRowIsLeftAloneWhereOthersTakeItIn) {
  constexpr int64_t rows[] = {12, 6, 5, 4, 3, 2, 1};
  const TileKinds kinds = {rows, 2, 8};
  for (int64_t count = 2; count < 24; ++count)
    EXPECT_FALSE(llvm::is_contained(cut(kinds, count), 1)) << count;
  EXPECT_EQ(cut(kinds, 7), (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(cut(kinds, 12), (std::vector<int64_t>{12}));
  EXPECT_EQ(cut(kinds, 13), (std::vector<int64_t>{5, 4, 4})) << "not 12 and 1";
}

} // namespace
