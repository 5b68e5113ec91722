#include "kiln/Dim.h"
#include "kiln/Error.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <sstream>
#include <type_traits>
#include <unordered_set>

using namespace kiln;

namespace {

const Dim x("x"), y("y"), z("z");

std::string printed(const Dim &dim) {
  std::ostringstream os;
  os << dim;
  return os.str();
}

template <class E> std::string messageOf(const std::function<void()> &f) {
  try {
    f();
  } catch (const E &error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing of that class was thrown";
  return "";
}

TEST(Dim, IsMadeOfEveryIntegerType) {
  EXPECT_EQ(Dim(0).value(), 0);
  EXPECT_EQ(Dim(3LL), Dim(3u));
  EXPECT_EQ(Dim(std::size_t(7)), Dim(int64_t(7)));
  EXPECT_EQ(Dim(static_cast<short>(7)), 7);
  EXPECT_EQ(Dim(), 0);
  EXPECT_FALSE((std::is_convertible_v<bool, Dim>));
  EXPECT_THROW(Dim(UINT64_MAX), ValueError);
  EXPECT_EQ(Dim(static_cast<uint64_t>(INT64_MAX)).value(), INT64_MAX);
}

TEST(Dim, Names) {
  for (const char *name : {"x", "_", "batch_2", "N", "_1"})
    EXPECT_EQ(Dim(name).str(), name);
  for (const char *name : {"", "1", "1x", "a-b", "a b", "\xc3\xa9", "x.y", "a\n"}) {
    EXPECT_THROW(Dim{name}, ValueError) << name;
    EXPECT_NE(messageOf<ValueError>([&] { Dim{name}; }).find("Invalid name"), std::string::npos);
  }
  EXPECT_EQ(Dim(std::string("batch")), Dim("batch"));
}

TEST(Dim, Kinds) {
  EXPECT_TRUE(Dim(4).isStatic());
  EXPECT_FALSE(Dim(4).isName());
  EXPECT_FALSE(Dim(4).isAlgebraic());
  EXPECT_TRUE(x.isName());
  EXPECT_FALSE(x.isAlgebraic());
  for (const Dim &dim : {x * 2, x + 1, x * x, x / 4, x * y})
    EXPECT_TRUE(dim.isAlgebraic()) << dim;
  EXPECT_TRUE((x + 1 - 1).isName());
  EXPECT_TRUE((x - x).isStatic());
  EXPECT_EQ((x - x).value(), 0);
  EXPECT_NE(
      messageOf<TypeError>([] { x.value(); }).find("conversions only supported for static dims"),
      std::string::npos);
}

TEST(Dim, StaticArithmetic) {
  EXPECT_EQ(Dim(5) + Dim(10), 15);
  EXPECT_EQ(Dim(10) - 3, 7);
  EXPECT_EQ(5 * Dim(4), 20);
  EXPECT_EQ(Dim(10) / 3, 3);
  EXPECT_EQ(-Dim(5), -5);
  EXPECT_EQ((Dim(5) + 3) * 2 - Dim(4) / 2, 14);
  EXPECT_EQ(Dim(-7) / 2, -4) << "rounds down";
  EXPECT_EQ(Dim(7) / -2, -4);
  EXPECT_EQ(Dim(-7) / -2, 3);
  EXPECT_THROW(Dim(1) / 0, ValueError);
  EXPECT_THROW(x / 0, ValueError);
  EXPECT_THROW(x / (y - y), ValueError);
}

TEST(Dim, EqualExpressionsAreEqual) {
  EXPECT_EQ(4 * x + 4, (x + 1) * 4);
  EXPECT_EQ(x + 1 + 1, x + 2);
  EXPECT_NE(4 * x / 5, (Dim(4) / 5) * x);
  EXPECT_EQ((Dim(4) / 5) * x, 0);
  EXPECT_EQ(-x - 4, -(x + 4));
  EXPECT_EQ(x * y, y * x);
  EXPECT_EQ((x + y) * (x - y), x * x - y * y);
  EXPECT_EQ((x + 1) * (x + 1), x * x + 2 * x + 1);
  EXPECT_NE(x, y);
  EXPECT_NE(x, 4);
  EXPECT_NE(x / 4 * 4, x);
}

TEST(Dim, DivisionSimplifiesWhereItIsExact) {
  EXPECT_EQ((4 * x + 4) / 4, x + 1);
  EXPECT_EQ(8 * x / 4, 2 * x);
  EXPECT_EQ((x * y) / y, x);
  EXPECT_EQ((x * x - y * y) / (x + y), x - y);
  EXPECT_EQ((x * y + x) / (y + 1), x);
  EXPECT_EQ(x / 1, x);
  EXPECT_EQ(x / x, 1);
  EXPECT_EQ(x / -1, -x);
  EXPECT_EQ(Dim(0) / x, 0);
  EXPECT_EQ((x * y * z) / (x * z), y);
}

TEST(Dim, DivisionSimplifiesWhereItIsNotExact) {
  EXPECT_EQ((x + 5) / 5, x / 5 + 1);
  EXPECT_EQ((x - 5) / 5, x / 5 - 1);
  EXPECT_EQ((x - 4) / 5, (x + 1) / 5 - 1);
  EXPECT_EQ((4 * x + y) / 4, x + y / 4);
  EXPECT_EQ(6 * x / 4, x + x / 2);
  EXPECT_EQ((2 * x + 1) / 4, x / 2);
  EXPECT_EQ(x / 2 / 3, x / 6);
  EXPECT_EQ((x / 2 + 1) / 3, (x + 2) / 6);
  EXPECT_EQ((x * y) / (x * z), y / z);
  EXPECT_EQ((2 * x) / (4 * y), x / (2 * y));
  EXPECT_EQ((x * y + 3) / y, x + 3 / y);
  EXPECT_EQ(-x / 5, x / -5);
  EXPECT_EQ(3 * x / (2 * x), 1);
}

TEST(Dim, Text) {
  EXPECT_EQ(Dim(23).str(), "23");
  EXPECT_EQ(Dim("test").str(), "test");
  EXPECT_EQ((Dim("batch") * 4 + 1).str(), "batch * 4 + 1");
  EXPECT_EQ(((x + y - 4) / 5).str(), "(x + y - 4) / 5");
  EXPECT_EQ((y + x).str(), "x + y");
  EXPECT_EQ((-x).str(), "-x");
  EXPECT_EQ((-x - 4).str(), "-x - 4");
  EXPECT_EQ((4 * x / 5).str(), "x * 4 / 5");
  EXPECT_EQ(((x / 5) * 4).str(), "(x / 5) * 4");
  EXPECT_EQ((y - x / 5).str(), "y - (x / 5)");
  EXPECT_EQ((x / (y * z)).str(), "x / (y * z)");
  EXPECT_EQ(((x + 7) / 5).str(), "(x + 2) / 5 + 1");
  EXPECT_EQ((x / 5 - 1).str(), "x / 5 - 1");
  EXPECT_EQ((-x / 5).str(), "-x / 5");
  EXPECT_EQ((x * INT64_MIN).str(), "x * -9223372036854775808");
}

TEST(Dim, Printing) {
  EXPECT_EQ(printed(Dim(4)), "Dim(4)");
  EXPECT_EQ(printed(Dim("batch")), "Dim(\"batch\")");
  EXPECT_EQ(printed(Dim("batch") * Dim(4)), "Dim(\"batch\") * Dim(4)");
  EXPECT_EQ(printed((x + y - 4) / 5), "(Dim(\"x\") + Dim(\"y\") + Dim(-4)) / Dim(5)");
  EXPECT_EQ(printed(x - y), "Dim(\"x\") + Dim(\"y\") * Dim(-1)");
  EXPECT_EQ(printed((x + 1) / 2), "(Dim(\"x\") + Dim(1)) / Dim(2)");
}

TEST(Dim, Parse) {
  EXPECT_EQ(Dim::parse("(x + y + -4) // 5"), (x + y - 4) / 5);
  EXPECT_EQ(Dim::parse(" ( x+1 )*4"), 4 * x + 4);
  EXPECT_EQ(Dim::parse("x - y - z"), x - y - z);
  EXPECT_EQ(Dim::parse("100 / 7 / 2"), 7);
  EXPECT_EQ(Dim::parse("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(Dim::parse("--x"), x);
  EXPECT_EQ(Dim::parse("-x * 2"), -2 * x);
}

TEST(Dim, ParseRefusesWhatIsNoDim) {
  for (const char *text : {"", " ", "x +", "(x", "x)", "4x", "x y", "x ** 2", "1.5", "x / 0", "-",
                           "9223372036854775808", "9223372036854775807 * 2", "x % 2", "\xff"})
    EXPECT_THROW(Dim::parse(text), ValueError) << text;
  EXPECT_EQ(messageOf<ValueError>([] { Dim::parse("x + )"); }),
            "[Dim] cannot read \"x + )\": expected a number, a name or \"(\" at position 4");
}

TEST(Dim, ParseIsBounded) {
  std::string parens, product = "1", power = "x", minus, fractions = "n";
  for (int i = 0; i < 20000; ++i) {
    parens += "(";
    minus += "-";
    power += "*x";
  }
  for (int i = 0; i < 30; ++i) {
    std::string n = std::to_string(i);
    product += "*(a" + n + "+b" + n + ")";
  }
  for (int i = 0; i < 20000; ++i)
    fractions += "/n" + std::to_string(i);
  for (const std::string &text : {parens, product, power, minus + "x", fractions})
    EXPECT_THROW(Dim::parse(text), ValueError) << text.substr(0, 40);
}

TEST(Dim, OverflowIsAnError) {
  const int64_t max = INT64_MAX, min = INT64_MIN;
  EXPECT_THROW(Dim(max) + 1, ValueError);
  EXPECT_THROW(Dim(min) - 1, ValueError);
  EXPECT_THROW(Dim(max) * 2, ValueError);
  EXPECT_THROW(-Dim(min), ValueError);
  EXPECT_THROW(Dim(min) / -1, ValueError);
  EXPECT_THROW(x * max * 2, ValueError);
  EXPECT_THROW(x * max + x, ValueError);
  EXPECT_THROW((x + max) + 1, ValueError);
  EXPECT_THROW(-(x * min), ValueError);
  EXPECT_THROW((x * 4).evaluate({{"x", max / 2}}), ValueError);
  EXPECT_THROW((x + y).evaluate({{"x", max}, {"y", 1}}), ValueError);
  EXPECT_THROW((x * y).evaluate({{"x", max}, {"y", max}}), ValueError);
  EXPECT_EQ((x + y - z).evaluate({{"x", max}, {"y", max}, {"z", max}}), max);
  EXPECT_NO_THROW(x * min / -1) << "too large to simplify, still a dim";
}

TEST(Dim, Evaluate) {
  EXPECT_EQ(Dim(3).evaluate({}), 3);
  EXPECT_EQ(x.evaluate({{"x", 5}}), 5);
  EXPECT_EQ(((x + 7) / y * 2).evaluate({{"x", 4}, {"y", 3}}), 6);
  EXPECT_THROW((x + y).evaluate({{"x", 1}}), KeyError);
  EXPECT_THROW((x / y).evaluate({{"x", 1}, {"y", 0}}), ValueError);
  EXPECT_THROW((x / (y - 1)).evaluate({{"x", 1}, {"y", 1}}), ValueError);
}

TEST(Dim, Substitute) {
  EXPECT_EQ((x + y).substitute({{"x", y}}), 2 * y);
  EXPECT_EQ((x / 4).substitute({{"x", 4 * z}}), z);
  EXPECT_EQ((x * y).substitute({{"x", y}, {"y", x}}), x * y) << "all at once";
  EXPECT_EQ((x * y + z).substitute({{"x", 2}, {"y", 3}, {"z", 4}}), 10);
}

TEST(Dim, NamesAndHash) {
  EXPECT_EQ(((x + 1) / (y * z)).names(), (std::set<std::string>{"x", "y", "z"}));
  EXPECT_EQ((x - x).names(), std::set<std::string>());
  std::unordered_set<Dim> set{x + 1, 4, (x * 2 + 2) / 2};
  EXPECT_EQ(set.size(), 2u);
}

TEST(Dim, OrderIsTotal) {
  std::vector<Dim> dims{-1, 4, x, y, x + 1, x * y, x / 2, (x + 1) / 2, x / y, x * 2};
  std::sort(dims.begin(), dims.end());
  for (std::size_t i = 0; i < dims.size(); ++i)
    for (std::size_t j = 0; j < dims.size(); ++j)
      EXPECT_EQ(dims[i] <=> dims[j], i <=> j) << dims[i] << ", " << dims[j];
}

TEST(Dim, Constraints) {
  EXPECT_EQ(Dim("batch").between(1, 1024),
            (Constraint{Dim("batch"), Constraint::Kind::between, 1, 1024}));
  EXPECT_EQ(Dim("seq").multipleOf(8), (Constraint{Dim("seq"), Constraint::Kind::multipleOf, 8, 0}));
  EXPECT_THROW(x.between(4, 3), ValueError);
  EXPECT_THROW(x.between(-1, 3), ValueError);
  EXPECT_THROW(x.multipleOf(0), ValueError);
}

/// A random expression, and what it is worth by plain arithmetic on the unsimplified tree.
struct Tree {
  Dim dim;
  std::function<std::optional<int64_t>(const DimBindings &)> value; // nothing: divides by zero
};

int64_t floorDiv(int64_t a, int64_t b) {
  // By definition: the greatest q with q * b <= a for b > 0.
  if (b < 0)
    a = -a, b = -b;
  int64_t quotient = a / b - 1;
  while ((quotient + 1) * b <= a)
    ++quotient;
  return quotient;
}

Tree randomTree(std::mt19937 &random, int depth) {
  int kind = static_cast<int>(random() % (depth == 0 ? 2 : 6));
  if (kind == 0) {
    int64_t number = static_cast<int64_t>(random() % 13) - 4;
    return {number, [=](const DimBindings &) { return std::optional(number); }};
  }
  if (kind == 1) {
    std::string name(1, "xyz"[random() % 3]);
    return {Dim(name), [=](const DimBindings &b) { return std::optional(b.at(name)); }};
  }
  Tree a = randomTree(random, depth - 1), b = randomTree(random, depth - 1);
  auto both = [a, b](auto op) {
    return [=](const DimBindings &bindings) -> std::optional<int64_t> {
      auto left = a.value(bindings), right = b.value(bindings);
      return left && right ? op(*left, *right) : std::nullopt;
    };
  };
  using Result = std::optional<int64_t>;
  if (kind == 2)
    return {a.dim + b.dim, both([](int64_t l, int64_t r) { return Result(l + r); })};
  if (kind == 3)
    return {a.dim - b.dim, both([](int64_t l, int64_t r) { return Result(l - r); })};
  if (kind == 4)
    return {a.dim * b.dim, both([](int64_t l, int64_t r) { return Result(l * r); })};
  if (b.dim == 0)
    return a;
  return {a.dim / b.dim, both([](int64_t l, int64_t r) {
            return r == 0 ? std::nullopt : Result(floorDiv(l, r));
          })};
}

TEST(DimProperty, SimplifyingKeepsTheValue) {
  std::mt19937 random(7);
  int checked = 0;
  for (int i = 0; i < 4000; ++i) {
    Tree tree = randomTree(random, 4);
    for (int j = 0; j < 4; ++j) {
      auto size = [&] { return static_cast<int64_t>(random() % 30); };
      DimBindings bindings{{"x", size()}, {"y", size()}, {"z", size()}};
      std::optional<int64_t> expected = tree.value(bindings);
      if (!expected)
        continue; // a divisor is non-zero by contract
      ++checked;
      ASSERT_EQ(tree.dim.evaluate(bindings), *expected)
          << tree.dim.str() << " at " << bindings["x"] << ", " << bindings["y"] << ", "
          << bindings["z"];
    }
  }
  EXPECT_GT(checked, 8000);
}

TEST(DimProperty, TextIsReadBack) {
  std::mt19937 random(8);
  for (int i = 0; i < 4000; ++i) {
    Dim dim = randomTree(random, 4).dim;
    ASSERT_EQ(Dim::parse(dim.str()), dim) << dim.str();
    ASSERT_EQ(Dim::parse(dim.str()).hash(), dim.hash());
    ASSERT_EQ(Dim::parse(dim.str()).str(), dim.str());
  }
}

TEST(DimProperty, EqualityIsCanonical) {
  std::mt19937 random(9);
  for (int i = 0; i < 2000; ++i) {
    Dim a = randomTree(random, 3).dim, b = randomTree(random, 3).dim, c = randomTree(random, 2).dim;
    ASSERT_EQ(a + b, b + a);
    ASSERT_EQ(a * b, b * a);
    ASSERT_EQ((a + b) * c, a * c + b * c) << a.str() << "; " << b.str() << "; " << c.str();
    ASSERT_EQ((a + b) + c, a + (b + c));
    ASSERT_EQ(a - a, 0);
    if (c != 0) {
      ASSERT_EQ(a * c / c, a) << a.str() << "; " << c.str();
      ASSERT_EQ((a * c + b) / c, a + b / c) << a.str() << "; " << b.str() << "; " << c.str();
    }
  }
}

int64_t run(const std::vector<Dim::Step> &program, const DimBindings &bindings) {
  using Kind = Dim::Step::Kind;
  std::vector<int64_t> stack;
  for (const Dim::Step &step : program) {
    if (step.kind == Kind::number || step.kind == Kind::name) {
      stack.push_back(step.kind == Kind::number ? step.number : bindings.at(step.name));
      continue;
    }
    int64_t right = stack.back();
    stack.pop_back();
    int64_t &left = stack.back();
    left = step.kind == Kind::add        ? left + right
           : step.kind == Kind::multiply ? left * right
                                         : floorDiv(left, right);
  }
  EXPECT_EQ(stack.size(), 1u);
  return stack.back();
}

TEST(DimProperty, ProgramAgreesWithEvaluation) {
  std::mt19937 random(11);
  DimBindings bindings{{"x", 3}, {"y", 7}, {"z", 11}};
  for (int i = 0; i < 2000; ++i) {
    Dim dim = randomTree(random, 3).dim;
    std::optional<int64_t> value;
    try {
      value = dim.evaluate(bindings);
    } catch (const ValueError &) {
      continue; // divides by zero
    }
    ASSERT_EQ(run(dim.program(), bindings), *value) << dim.str();
  }
}

TEST(DimProperty, SubstitutionAgreesWithEvaluation) {
  std::mt19937 random(10);
  DimBindings bindings{{"x", 3}, {"y", 7}, {"z", 11}};
  for (int i = 0; i < 2000; ++i) {
    Dim dim = randomTree(random, 3).dim;
    std::optional<int64_t> value;
    try {
      value = dim.evaluate(bindings);
    } catch (const ValueError &) {
      continue; // divides by zero
    }
    ASSERT_EQ(dim.substitute({{"x", 3}, {"y", 7}, {"z", 11}}), *value) << dim.str();
  }
}

} // namespace
