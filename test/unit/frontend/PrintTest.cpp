#include "kiln/kiln.h"

#include <gmock/gmock.h>
#include <sstream>

using namespace kiln;

namespace {

/// What is printed between "Tensor(" and ", dtype=".
std::string data(const Tensor &tensor) {
  std::ostringstream text;
  text << tensor;
  std::string all = text.str();
  return all.substr(7, all.find(", dtype=") - 7);
}

TEST(Print, SaysDTypeAndDevice) {
  std::ostringstream text;
  text << Tensor::constant({1.0f, 2.0f, 3.0f});
  EXPECT_EQ(text.str(), "Tensor([1 2 3], dtype=float32, device=cpu:0)");
}

TEST(Print, ScalarsVectorsAndMatrices) {
  EXPECT_EQ(data(Tensor::constant(42.5f)), "42.5");
  EXPECT_EQ(data(Tensor::constant({10, 20, 30})), "[10 20 30]");
  EXPECT_EQ(data(Tensor::constant({int64_t{1000000}, int64_t{2000000}})), "[1000000 2000000]");
  EXPECT_EQ(data(Tensor::constant({{0, 1}, {2, 0}})), "[0 1\n 2 0]");
  EXPECT_EQ(data(Tensor::constant({{-1, 2}, {3, -4}})), "[-1  2\n  3 -4]");
  EXPECT_EQ(data(Tensor::constant({1.2345f, 2.5f, 100.0f})), "[1.235   2.5   100]");
  EXPECT_EQ(data(Tensor::constant({{true, false}, {false, true}})), "[ True False\n False  True]");
  EXPECT_EQ(data(Tensor::zeros({0})), "[]");
}

TEST(Print, TilesFurtherDims) {
  EXPECT_EQ(data(Tensor::constant({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}})),
            "[1 2 | 5 6\n 3 4 | 7 8]");
  std::vector<int> values(12);
  for (int i = 0; i < 12; ++i)
    values[static_cast<std::size_t>(i)] = i + 1;
  EXPECT_EQ(data(Tensor::fromData(values, {2, 2, 3})),
            "[ 1  2  3 |  7  8  9\n  4  5  6 | 10 11 12]");
  EXPECT_EQ(data(Tensor::fromData(values, {3, 1, 2, 2})), "[ 1  2\n  3  4\n \n  5  6\n  7  8\n \n"
                                                          "  9 10\n 11 12]");
}

TEST(Print, SummarizesAboveAThousandElements) {
  EXPECT_EQ(data(Tensor::arange(0, 1001)), "[   0    1    2 ...  998  999 1000]");
  EXPECT_EQ(data(Tensor::zeros({40, 50})),
            "[0 0 0 ... 0 0 0\n 0 0 0 ... 0 0 0\n 0 0 0 ... 0 0 0\n ...\n"
            " 0 0 0 ... 0 0 0\n 0 0 0 ... 0 0 0\n 0 0 0 ... 0 0 0]");
}

TEST(Print, SpecialNumbers) {
  float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(data(Tensor::constant({inf, -inf, std::nanf("")})), "[ inf -inf  nan]");
}

} // namespace
