#include "kiln/DType.h"
#include "kiln/Error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <vector>

using namespace kiln;

namespace {

std::vector<DType> allDTypes() {
  std::vector<DType> all;
  for (int i = 0; i <= static_cast<int>(DType::float64); ++i)
    all.push_back(static_cast<DType>(i));
  return all;
}

TEST(DType, NamesAreReadBack) {
  for (DType dtype : allDTypes()) {
    EXPECT_EQ(parseDType(name(dtype)), dtype);
    EXPECT_EQ(parseDType(shortName(dtype)), dtype);
  }
  EXPECT_EQ(name(DType::bfloat16), "bfloat16");
  EXPECT_EQ(shortName(DType::boolean), "bool");
  EXPECT_EQ(parseDType("float31"), std::nullopt);
  EXPECT_EQ(parseDType(""), std::nullopt);
  std::ostringstream os;
  os << DType::float32;
  EXPECT_EQ(os.str(), "float32");
}

TEST(DType, Properties) {
  EXPECT_EQ(sizeBytes(DType::boolean), 1u);
  EXPECT_EQ(sizeBytes(DType::bfloat16), 2u);
  EXPECT_EQ(sizeBytes(DType::uint64), 8u);
  for (DType dtype : allDTypes())
    EXPECT_EQ(isFloat(dtype) + isSigned(dtype) + isUnsigned(dtype) + (dtype == DType::boolean), 1);
}

TEST(DType, PromotionIsPyTorchs) {
  using enum DType;
  struct Case {
    DType a, b, result;
  };
  const Case cases[] = {
      {boolean, boolean, boolean},
      {boolean, uint8, uint8},
      {boolean, float16, float16},
      {int8, uint8, int16},
      {int16, uint8, int16},
      {int64, uint8, int64},
      {int32, int64, int64},
      {int64, float16, float16},
      {int32, bfloat16, bfloat16},
      {int64, float32, float32},
      {float16, bfloat16, float32},
      {float16, float32, float32},
      {bfloat16, float64, float64},
      {float32, float64, float64},
      // PyTorch refuses these; NumPy's answers.
      {uint16, uint8, uint16},
      {uint16, int8, int32},
      {uint32, int32, int64},
      {uint64, uint32, uint64},
      {uint64, float32, float32},
  };
  for (const Case &c : cases) {
    EXPECT_EQ(promote(c.a, c.b), c.result) << c.a << ", " << c.b;
    EXPECT_EQ(promote(c.b, c.a), c.result) << c.b << ", " << c.a;
  }
  EXPECT_THROW(promote(uint64, int8), TypeError);
  EXPECT_THROW(promote(int64, uint64), TypeError);
}

TEST(DType, PromotionIsALattice) {
  for (DType a : allDTypes()) {
    EXPECT_EQ(promote(a, a), a);
    for (DType b : allDTypes()) {
      if ((a == DType::uint64 && isSigned(b)) || (b == DType::uint64 && isSigned(a)))
        continue;
      DType both = promote(a, b);
      EXPECT_EQ(both, promote(b, a));
      EXPECT_EQ(promote(both, a), both);
      EXPECT_GE(sizeBytes(both), isFloat(both) ? 2u : std::max(sizeBytes(a), sizeBytes(b)));
    }
  }
}

TEST(Float16, EveryValueIsReadBack) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    Float16 half;
    half.bits = static_cast<uint16_t>(bits);
    float value = half;
    Float16 back(value);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(static_cast<float>(back))) << bits;
    else
      ASSERT_EQ(back.bits, half.bits) << value;
  }
}

TEST(Float16, RoundsToNearestEven) {
  // Between each pair of neighbours: the midpoint goes to the even one, the rest to the nearest.
  for (uint16_t low = 0; low < 0x7bff; ++low) {
    Float16 a, b;
    a.bits = low;
    b.bits = static_cast<uint16_t>(low + 1);
    float middle = (static_cast<float>(a) + static_cast<float>(b)) / 2;
    ASSERT_EQ(Float16(middle).bits, low % 2 == 0 ? low : low + 1);
    ASSERT_EQ(Float16(std::nextafter(middle, 0.0f)).bits, low);
    ASSERT_EQ(Float16(std::nextafter(middle, 1e9f)).bits, low + 1);
    ASSERT_EQ(Float16(-middle).bits, Float16(middle).bits | 0x8000);
  }
  EXPECT_EQ(static_cast<float>(Float16(65504.0f)), 65504.0f);
  EXPECT_EQ(static_cast<float>(Float16(65519.996f)), 65504.0f);
  EXPECT_TRUE(std::isinf(static_cast<float>(Float16(65520.0f))));
  EXPECT_EQ(Float16(std::numeric_limits<float>::denorm_min()).bits, 0);
}

TEST(BFloat16, EveryValueIsReadBack) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    BFloat16 half;
    half.bits = static_cast<uint16_t>(bits);
    float value = half;
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(value)))) << bits;
    else
      ASSERT_EQ(BFloat16(value).bits, half.bits);
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(static_cast<float>(BFloat16(1.00390625f)), 1.0f) << "midpoint, to even";
  EXPECT_EQ(static_cast<float>(BFloat16(1.01171875f)), 1.015625f) << "midpoint, to even";
  EXPECT_EQ(static_cast<float>(BFloat16(1.00390637f)), 1.0078125f);
  EXPECT_TRUE(std::isinf(static_cast<float>(BFloat16(std::numeric_limits<float>::max()))));
  uint32_t lowNan = 0x7f800001; // whose upper half alone would be infinity
  float nan;
  std::memcpy(&nan, &lowNan, 4);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(nan))));
}

} // namespace
