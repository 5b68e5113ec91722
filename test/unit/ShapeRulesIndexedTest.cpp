#include "test/unit/ShapeRulesTesting.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::ir::test;

namespace {

Attributes reduction(std::string name) { return {{"reduction", std::move(name)}}; }

TEST(ShapeRules, Scatter) {
  for (const char *name : {"none", "add", "mul", "max", "min"})
    expectType(infer("scatter", {f32({n, m}), i64({b}), f32({b, m})}, reduction(name)),
               f32({n, m}));
  expectType(infer("scatter", {b1({3}), i64({0}), b1({0})}, reduction("none")), b1({3}));
  // A name is not known to be another one.
  expectError(infer("scatter", {f32({3, n}), i64({2}), f32({2, m})}, reduction("none")),
              ErrorKind::value, "C5",
              "expected updates of shape [2, n], a row of x for each index: x [3, n] f32, indices "
              "[2] i64, updates [2, m] f32");
  expectError(infer("scatter", {f32({3}), i64({2}), f32({2, 1})}, reduction("none")),
              ErrorKind::value, "C5",
              "expected updates of shape [2], a row of x for each index: x [3] f32, indices [2] "
              "i64, updates [2, 1] f32");
}

} // namespace
