#include "runtime/DimProgram.h"

#include "kiln/Error.h"

#include <gtest/gtest.h>

#include <random>

using namespace kiln;
using namespace kiln::runtime;

static const std::vector<std::string> symbols = {"x", "y", "batch_size"};

static int64_t evaluate(const Dim &dim, std::vector<int64_t> values) {
  return DimProgram(dim, symbols).evaluate(values.data());
}

TEST(DimProgram, NumbersAndNamesNeedNoProgram) {
  EXPECT_TRUE(DimProgram(Dim(7), symbols).isNumber());
  EXPECT_EQ(evaluate(Dim(7), {}), 7);
  EXPECT_EQ(evaluate(Dim(-7), {}), -7);
  EXPECT_EQ(DimProgram(Dim("batch_size"), symbols).symbol(), 2);
  EXPECT_EQ(DimProgram(Dim("x") + 1, symbols).symbol(), -1);
  EXPECT_EQ(evaluate("y", {1, 2, 3}), 2);
}

TEST(DimProgram, AgreesWithDim) {
  std::mt19937 random(1);
  auto number = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    Dim dim = Dim(symbols[number(0, 2)].c_str());
    for (int step = 0; step < 6; ++step) {
      Dim other = number(0, 1) ? Dim(symbols[number(0, 2)].c_str()) : Dim(number(-9, 9));
      switch (number(0, 4)) {
      case 0:
        dim = dim + other;
        break;
      case 1:
        dim = dim - other;
        break;
      case 2:
        dim = dim * other;
        break;
      case 3:
        dim = other - dim;
        break;
      case 4:
        dim = dim / Dim(number(1, 9));
        break;
      }
    }
    std::vector<int64_t> values = {number(0, 50), number(0, 50), number(0, 50)};
    DimBindings bindings = {{"x", values[0]}, {"y", values[1]}, {"batch_size", values[2]}};
    ASSERT_EQ(evaluate(dim, values), dim.evaluate(bindings)) << dim.str();
  }
}

TEST(DimProgram, Errors) {
  EXPECT_THROW(DimProgram(Dim("z"), symbols), KeyError);
  EXPECT_THROW(evaluate(Dim("x") * Dim("y"), {INT64_MAX, 2, 0}), ValueError);
  EXPECT_THROW(evaluate(Dim("x") + 1, {INT64_MAX, 2, 0}), ValueError);
  EXPECT_THROW(evaluate(Dim("x") / Dim("y"), {4, 0, 0}), ValueError);
}
