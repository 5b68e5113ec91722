#include "test/unit/ShapeRulesTesting.h"

#include <limits>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::ir::test;

namespace {

Attributes ranks(int64_t axis, int64_t count) { return {{"axis", axis}, {"ranks", count}}; }

TEST(ShapeRules, AllReduce) {
  const Attributes sum = {{"reduction", std::string("sum")}};
  expectType(infer("all_reduce", {f32({n, 2})}, sum), f32({n, 2}));
  expectError(infer("all_reduce", {f32({2})}, {{"reduction", std::string("max")}}),
              ErrorKind::value, "C1", "expected the reduction sum, got max");
  expectError(infer("all_reduce", {b1({2})}, sum), ErrorKind::type, "C2",
              "expected numbers, not booleans: x [2] bool");
}

TEST(ShapeRules, AllGather) {
  expectType(infer("all_gather", {f32({2, n})}, ranks(1, 3)), f32({2, n * 3}));
  expectType(infer("all_gather", {b1({0, 4})}, ranks(0, 8)), b1({0, 4}));
  expectError(infer("all_gather", {f32({2})}, ranks(1, 3)), ErrorKind::index, "C1",
              "axis 1 is out of range for x [2] f32");
  expectError(infer("all_gather", {f32({2})}, ranks(0, 0)), ErrorKind::value, "C2",
              "expected 1 rank or more, got 0: x [2] f32");
  EXPECT_EQ(infer("all_gather", {f32({4})}, ranks(0, std::numeric_limits<int64_t>::max())).label,
            "C0");
}

TEST(ShapeRules, LocalSlice) {
  expectType(infer("local_slice", {f32({n, 6})}, ranks(1, 3)), f32({n, 2}));
  expectType(infer("local_slice", {f32({0})}, ranks(0, 3)), f32({0}));
  expectError(infer("local_slice", {f32({6})}, ranks(-1, 3)), ErrorKind::index, "C1",
              "axis -1 is out of range for x [6] f32");
  expectError(infer("local_slice", {f32({6})}, ranks(0, -2)), ErrorKind::value, "C2",
              "expected 1 rank or more, got -2: x [6] f32");
  expectError(infer("local_slice", {f32({6})}, ranks(0, 4)), ErrorKind::value, "C3",
              "4 ranks cannot have equal parts of axis 0: x [6] f32");
  expectError(infer("local_slice", {f32({n * 4})}, ranks(0, 4)), ErrorKind::value, "C3",
              "4 ranks cannot have equal parts of axis 0: x [n * 4] f32");
}

TEST(ShapeRules, GatherFromAPart) {
  auto total = [](int64_t count) { return Attributes{{"axis", int64_t(0)}, {"total", count}}; };
  expectType(infer("gather", {f32({3, 4}), i64({n})}, total(5)), f32({n, 4}));
  expectType(infer("gather", {f32({3, 4}), i64({n})}, total(3)), f32({n, 4}));
  expectError(infer("gather", {f32({3, 4}), i64({n})}, total(2)), ErrorKind::value, "C5",
              "a part of a table of 2 entries has more along axis 0: table [3, 4] f32");
  EXPECT_EQ(infer("gather", {f32({m, 4}), i64({n})}, total(5)).assumptions,
            std::vector<Constraint>{(Dim(5) - m).between(0, std::numeric_limits<int64_t>::max())});
}

} // namespace
