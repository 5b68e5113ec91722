#include "runtime/Packing.h"

#include "kiln/Error.h"
#include "runtime/Buffer.h"
#include "runtime/Unpacking.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

using namespace kiln;
using namespace kiln::runtime;
using Kind = Packing::Kind;

namespace {

TensorType typeOf(DType dtype, std::vector<int64_t> sizes) {
  return TensorType(dtype, Shape(std::span<const int64_t>(sizes)), CPU());
}

/// Elements 1, 2, … packed.
std::vector<uint16_t> packedNumbers(const Packing &packing, const TensorType &type) {
  MatrixShape shape = matrixShape(packing, type);
  std::vector<uint16_t> source(shape.sizeBytes() / 2);
  std::iota(source.begin(), source.end(), uint16_t{1});
  std::vector<uint16_t> packed(packedSizeBytes(packing, shape) / 2, 0xFFFF);
  pack(packing, shape, reinterpret_cast<const std::byte *>(source.data()),
       reinterpret_cast<std::byte *>(packed.data()));
  return packed;
}

/// Element (n, k) of the packed copy of a matrix of `depth`, read off Artifact.h's definition.
std::size_t placeOf(int64_t panel, int64_t depth, int64_t n, int64_t k) {
  int64_t tiles = (depth + 63) / 64;
  return static_cast<std::size_t>(
      (((n / panel * tiles + k / 64) * panel + n % panel) * 8 + (k / 8 % 8 ^ n % 8)) * 8 + k % 8);
}

TEST(TilePacking, FollowsTheDefinition) {
  for (auto [n, k] : {std::pair<int64_t, int64_t>{32, 64}, {16, 128}, {37, 70}, {1, 1}, {50, 200}})
    for (bool byRows : {true, false}) {
      const int64_t panel = 16, tilesN = (n + 15) / 16, tilesK = (k + 63) / 64;
      auto packed =
          packedNumbers({byRows ? Kind::rowTiles : Kind::columnTiles, panel},
                        typeOf(DType::bfloat16, byRows ? std::vector{n, k} : std::vector{k, n}));
      ASSERT_EQ(packed.size(), static_cast<std::size_t>(tilesN * panel * tilesK * 64));
      std::vector<uint16_t> expected(packed.size(), 0);
      for (int64_t row = 0; row < n; ++row)
        for (int64_t at = 0; at < k; ++at)
          expected[placeOf(panel, k, row, at)] =
              static_cast<uint16_t>(1 + (byRows ? row * k + at : at * n + row));
      EXPECT_EQ(packed, expected) << n << " x " << k << (byRows ? " by rows" : " by columns");
    }
}

TEST(TilePacking, FiltersAreMatrices) {
  // [2, 3, 5, 20] and [20, 5, 2, 3]: K is (2, 3, 5).
  auto filter = packedNumbers({Kind::filterTiles, 8}, typeOf(DType::float16, {2, 3, 5, 20}));
  auto first = packedNumbers({Kind::channelsFirstTiles, 8}, typeOf(DType::float16, {20, 5, 2, 3}));
  ASSERT_EQ(filter.size(), first.size());
  for (int64_t n = 0; n < 20; ++n)
    for (int64_t tap = 0; tap < 6; ++tap)
      for (int64_t c = 0; c < 5; ++c) {
        const int64_t k = tap * 5 + c;
        EXPECT_EQ(filter[placeOf(8, 30, n, k)], 1 + k * 20 + n);
        EXPECT_EQ(first[placeOf(8, 30, n, k)], 1 + n * 30 + c * 6 + tap);
      }
}

TEST(TilePacking, TilesAreUnpacked) {
  TensorType type = typeOf(DType::bfloat16, {37, 70});
  auto packed = packedNumbers({Kind::rowTiles, 16}, type);
  auto buffer = Buffer::allocate(packed.size() * 2);
  std::memcpy(buffer->mutableData(), packed.data(), packed.size() * 2);
  auto dense = unpacked(*buffer, {Kind::rowTiles, 16}, type);
  for (std::size_t i = 0; i < 37 * 70; ++i) {
    uint16_t element;
    std::memcpy(&element, dense->data() + i * 2, 2);
    ASSERT_EQ(element, i + 1);
  }
}

TEST(TilePacking, OtherTypesAreRefused) {
  EXPECT_THROW(matrixShape({Kind::rowTiles, 16}, typeOf(DType::float32, {4, 4})), ValueError);
  EXPECT_THROW(matrixShape({Kind::columnTiles, 16}, typeOf(DType::int8, {4, 4})), ValueError);
}

} // namespace
