#include "test/unit/ShapeRulesTesting.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::ir::test;

namespace {

TEST(ShapeRules, BroadcastTo) {
  expectType(infer("broadcast_to", {f32({3, 1})}, shape({3, 4})), f32({3, 4}));
  expectType(infer("broadcast_to", {f32({3, 4})}, shape({2, 3, 4})), f32({2, 3, 4}));
  expectType(infer("broadcast_to", {f32({1, n})}, shape({b, m, n})), f32({b, m, n}));
  expectError(infer("broadcast_to", {f32({2})}, shape({-1})), ErrorKind::type, "C1",
              "dimensions must be non-negative: [-1]");
  expectError(infer("broadcast_to", {f32({2, 3})}, shape({3})), ErrorKind::value, "C2",
              "cannot broadcast to fewer dims: x [2, 3] f32 to [3]");
  expectError(infer("broadcast_to", {f32({6})}, shape({6, 7})), ErrorKind::value, "C3",
              "input dimension at index 0 (6) must be either 1 or equal to corresponding output "
              "dimension at index 1 (7): x [6] f32 to [6, 7]");
  Inferred names = infer("broadcast_to", {f32({"D0"})}, shape({"D2"}));
  EXPECT_THAT(names.message, HasSubstr("index 0 (D0)"));
  EXPECT_THAT(names.message, HasSubstr("index 0 (D2)"));
}

TEST(ShapeRules, Reshape) {
  expectType(infer("reshape", {f32({6, 5})}, shape({2, 15})), f32({2, 15}));
  expectType(infer("reshape", {f32({b, n})}, shape({n, b})), f32({n, b}));
  expectType(infer("reshape", {f32({b, n, 8})}, shape({b * n, 8})), f32({b * n, 8}));
  Dim rows = b * n + m;
  expectType(infer("reshape", {f32({rows, 1536})}, shape({rows, 8, 192})), f32({rows, 8, 192}));
  expectType(infer("reshape", {f32({0, n})}, shape({5, 0, 2})), f32({5, 0, 2}));
  expectType(infer("reshape", {f32({})}, shape({1, 1})), f32({1, 1}));
  expectType(infer("reshape", {f32({b, 4 * (n / 4)})}, shape({b, 4, n / 4})), f32({b, 4, n / 4}));
  expectError(infer("reshape", {f32({2})}, shape({-2, -1})), ErrorKind::type, "C1",
              "dimensions must be non-negative: [-2, -1]");
  expectError(infer("reshape", {f32({6, 5})}, shape({4, 4})), ErrorKind::value, "C2",
              "30 elements do not make [4, 4], which has 16: x [6, 5] f32 on cpu:0");
  expectError(infer("reshape", {f32({n})}, shape({n / 4, 4})), ErrorKind::value, "C2",
              "the number of elements, n, is not known to be that of [n / 4, 4], (n / 4) * 4: "
              "x [n] f32 on cpu:0; rebind x to dims that say so");
}

TEST(ShapeRules, SymbolicShapesAreAssumedNonNegative) {
  EXPECT_EQ(infer("broadcast_to", {f32({1})}, shape({n - 5})).assumptions,
            std::vector{(n - 5).between(0, INT64_MAX)});
  EXPECT_TRUE(infer("broadcast_to", {f32({1})}, shape({n / 5})).assumptions.empty());
  EXPECT_EQ(infer("reshape", {f32({n - 1})}, shape({1, n - 1})).assumptions,
            std::vector{(n - 1).between(0, INT64_MAX)});
}

TEST(ShapeRules, Permute) {
  expectType(infer("permute", {f32({2, n, 4})}, {{"axes", Axes{2, 0, 1}}}), f32({4, 2, n}));
  expectType(infer("permute", {f32({})}, {{"axes", Axes{}}}), f32({}));
  expectError(infer("permute", {f32({2, 3})}, {{"axes", Axes{0}}}), ErrorKind::value, "C1",
              "expected 2 axes, got [0]: x [2, 3] f32");
  expectError(infer("permute", {f32({2, 3})}, {{"axes", Axes{0, 2}}}), ErrorKind::index, "C2",
              "axis 2 is out of range for x [2, 3] f32");
  expectError(infer("permute", {f32({2, 3})}, {{"axes", Axes{1, 1}}}), ErrorKind::value, "C3",
              "axis 1 occurs twice in [1, 1]: x [2, 3] f32");
}

Attributes part(Shape starts, Shape stops, Axes steps) {
  return {{"starts", std::move(starts)}, {"stops", std::move(stops)}, {"steps", std::move(steps)}};
}

TEST(ShapeRules, Slice) {
  expectType(infer("slice", {f32({10, n})}, part({1, 0}, {8, n}, {3, 1})), f32({3, n}));
  expectType(infer("slice", {f32({n})}, part({1}, {n}, {2})), f32({n / 2}));
  expectType(infer("slice", {f32({n})}, part({0}, {n}, {2})), f32({(n + 1) / 2}));
  expectType(infer("slice", {f32({0})}, part({0}, {0}, {1})), f32({0}));
  expectType(infer("slice", {f32({5})}, part({0}, {5}, {INT64_MAX})), f32({1}));
  expectError(infer("slice", {f32({5})}, part({0, 0}, {5}, {1})), ErrorKind::value, "C1",
              "expected 1 starts, stops and steps, got 2, 1 and 1: x [5] f32");
  expectError(infer("slice", {f32({5})}, part({0}, {5}, {0})), ErrorKind::value, "C2",
              "step 0 of axis 0 must be positive: x [5] f32");
  expectError(infer("slice", {f32({5})}, part({2}, {1}, {1})), ErrorKind::value, "C3",
              "start and stop should be increasing and not negative: 2 and 1 of axis 0: x [5] f32");
  expectError(infer("slice", {f32({5})}, part({-1}, {1}, {1})), ErrorKind::value, "C3",
              "start and stop should be increasing and not negative: -1 and 1 of axis 0: "
              "x [5] f32");
  expectError(infer("slice", {f32({3})}, part({0}, {1024}, {1})), ErrorKind::value, "C4",
              "stop index 1024 out of range for dimension size 3 of axis 0: x [3] f32");
}

TEST(ShapeRules, SliceAssumesWhatOnlySizesTell) {
  auto assumptions = [](Shape x, Shape starts, Shape stops) {
    Inferred inferred =
        infer("slice", {f32(std::move(x))}, part(std::move(starts), std::move(stops), {1}));
    EXPECT_TRUE(inferred) << inferred.message;
    return inferred.assumptions;
  };
  EXPECT_TRUE(assumptions({n + m}, {m}, {n + m}).empty());
  EXPECT_TRUE(assumptions({n + 4}, {0}, {4}).empty());
  EXPECT_EQ(assumptions({n}, {0}, {1}), std::vector{(n - 1).between(0, INT64_MAX)});
  EXPECT_EQ(assumptions({n}, {n - 1}, {n}), std::vector{(n - 1).between(0, INT64_MAX)});
  expectError(infer("slice", {f32({n})}, part({0}, {n + 1}, {1})), ErrorKind::value, "C4",
              "stop index n + 1 out of range for dimension size n of axis 0: x [n] f32");
}

TEST(ShapeRules, Concat) {
  expectType(infer("concat", {f32({4, 6}), f32({4, 6})}, axis(0)), f32({8, 6}));
  expectType(infer("concat", {f32({n, 6}), f32({m, 6}), f32({1, 6})}, axis(0)),
             f32({n + m + 1, 6}));
  expectError(infer("concat", {f32({})}, axis(0)), ErrorKind::index, "C1",
              "axis 0 is out of range for operand 0 [] f32");
  expectError(infer("concat", {f32({2}), i64({2})}, axis(0)), ErrorKind::type, "C2",
              "dtypes differ: operand 0 [2] f32, operand 1 [2] i64");
  expectError(infer("concat", {f32({2}), f32({2}), f32({2, 2})}, axis(0)), ErrorKind::value, "C3",
              "ranks differ: operand 0 [2] f32, operand 2 [2, 2] f32");
  expectError(infer("concat", {f32({2, 3}), f32({2, 4})}, axis(0)), ErrorKind::value, "C4",
              "dims of axis 1 differ, which is not the axis 0: operand 0 [2, 3] f32, "
              "operand 1 [2, 4] f32");
}

TEST(ShapeRules, Gather) {
  expectType(infer("gather", {f32({10, 3}), i64({4, n})}, axis(0)), f32({4, n, 3}));
  expectType(infer("gather", {f32({5, 10}), i64({5})}, axis(1)), f32({5, 5}));
  expectType(infer("gather", {f32({5, 10}), i64({})}, axis(0)), f32({10}));
  expectError(infer("gather", {f32({}), i64({5})}, axis(0)), ErrorKind::value, "C1",
              "expected a table of rank 1 or more: table [] f32");
  expectError(infer("gather", {f32({5}), f32({5})}, axis(0)), ErrorKind::value, "C2",
              "indices must be integers: indices [5] f32");
  expectError(infer("gather", {f32({5}), b1({5})}, axis(0)), ErrorKind::value, "C2",
              "indices must be integers: indices [5] bool");
  expectError(infer("gather", {f32({5}), i64({5})}, axis(1)), ErrorKind::index, "C3",
              "axis 1 is out of range for table [5] f32");
}

Attributes windows(int64_t axis, int64_t size, int64_t stride = 1, int64_t dilation = 1) {
  return {{"axis", axis}, {"size", size}, {"stride", stride}, {"dilation", dilation}};
}

TEST(ShapeRules, Windows) {
  expectType(infer("windows", {f32({7, 2})}, windows(0, 3)), f32({5, 3, 2}));
  expectType(infer("windows", {f32({2, 8})}, windows(1, 2, 3, 2)), f32({2, 2, 2}));
  expectType(infer("windows", {f32({3})}, windows(0, 1, 9, 9)), f32({1, 1}));
  Inferred symbolic = infer("windows", {f32({b, n})}, windows(1, 3, 2));
  expectType(symbolic, f32({b, (n - 3) / 2 + 1, 3}));
  EXPECT_EQ(symbolic.assumptions, std::vector{(n - 3).between(0, INT64_MAX)});
  EXPECT_TRUE(infer("windows", {f32({n + 3})}, windows(0, 3)).assumptions.empty());
  expectError(infer("windows", {f32({2})}, windows(0, 3)), ErrorKind::value, "C3",
              "windows of 3 elements do not fit into the dimension size 2 of axis 0: x [2] f32");
  Inferred huge = infer("windows", {f32({2})}, windows(0, INT64_MAX, 1, INT64_MAX));
  EXPECT_EQ(huge.error, ErrorKind::value) << huge.message;
  EXPECT_EQ(huge.label, "C0");
}

TEST(ShapeRules, Rebind) {
  Inferred same = infer("rebind", {f32({n, 3})}, shape({n, 3}));
  expectType(same, f32({n, 3}));
  EXPECT_TRUE(same.assumptions.empty());
  Inferred other = infer("rebind", {f32({n, 3, 2 * m})}, shape({4, m, 2 * m}));
  expectType(other, f32({4, m, 2 * m}));
  EXPECT_EQ(other.assumptions, (std::vector{(n - 4).between(0, 0), (3 - m).between(0, 0)}));
  expectError(infer("rebind", {f32({n})}, shape({n + 1})), ErrorKind::value, "C3",
              "dims of axis 0 differ: x [n] f32 and [n + 1]");
}

} // namespace
