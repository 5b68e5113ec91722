#include "test/unit/ShapeRulesTesting.h"

#include <stdexcept>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::ir::test;

namespace {

//===----------------------------------------------------------------------===//
// All operations
//===----------------------------------------------------------------------===//

TEST(ShapeRules, UnknownOperationsAreAProgramsMistake) {
  EXPECT_THROW(infer("frobnicate", {}), std::logic_error);
  EXPECT_EQ(findOp("frobnicate"), nullptr);
  EXPECT_THROW(infer("sum", {f32({2})}), std::logic_error) << "no axis";
  EXPECT_THROW(infer("sum", {f32({2})}, {{"axis", true}}), std::logic_error);
}

TEST(ShapeRules, Arity) {
  ASSERT_NE(findOp("gelu"), nullptr);
  EXPECT_EQ(findOp("gelu")->max, 1);
  EXPECT_EQ(findOp("concat")->max, -1);
  EXPECT_EQ(findOp("attention")->min, 3);
  expectError(infer("add", {f32({2})}), ErrorKind::type, "C0", "expected 2 operands, got 1");
  expectError(infer("attention", {f32({2})}), ErrorKind::type, "C0",
              "expected 3 to 4 operands, got 1");
  expectError(infer("concat", {}, axis(0)), ErrorKind::type, "C0",
              "expected at least 1 operands, got 0");
}

TEST(ShapeRules, OperandsShareTheDevice) {
  TensorType there(float32, {2, 2}, CPU(1));
  for (const char *op : {"add", "matmul"})
    expectError(infer(op, {f32({2, 2}), there}), ErrorKind::value, "C0",
                "operands must be on the same device: [2, 2] f32 on cpu:0, [2, 2] f32 on cpu:1");
  expectType(infer("matmul", {there, there}), there);
}

TEST(ShapeRules, SizesBeyondInt64) {
  Inferred inferred = infer("concat", {b1({INT64_MAX}), b1({1})}, axis(0));
  EXPECT_EQ(inferred.error, ErrorKind::value);
  EXPECT_THAT(inferred.message, testing::StartsWith("overflow of int64"));
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

TEST(ShapeRules, EveryElementwiseOperation) {
#define KILN_UNARY(op, kind) EXPECT_EQ(findOp(#op)->min, 1);
#define KILN_BINARY(op, kind) EXPECT_EQ(findOp(#op)->min, 2);
#include "ir/Elementwise.def"
}

TEST(ShapeRules, Unary) {
  expectType(infer("gelu", {f32({n, 2})}), f32({n, 2}));
  expectType(infer("neg", {i64({2})}), i64({2}));
  expectType(infer("is_nan", {f32({n})}), b1({n}));
  expectType(infer("not", {b1({2})}), b1({2}));
  expectError(infer("exp", {i64({2})}), ErrorKind::type, "C1", "expected a float dtype: x [2] i64");
  expectError(infer("neg", {b1({2})}), ErrorKind::type, "C1",
              "expected numbers, not booleans: x [2] bool");
  expectError(infer("not", {f32({2})}), ErrorKind::type, "C1",
              "expected booleans or integers: x [2] f32");
}

TEST(ShapeRules, Binary) {
  expectType(infer("add", {f32({n, 1}), f32({3})}), f32({n, 3}));
  expectType(infer("lt", {f32({2, 3}), f32({})}), b1({2, 3}));
  expectType(infer("and", {b1({2}), b1({1})}), b1({2}));
  expectType(infer("add", {f32({10, 1}), f32({10})}), f32({10, 10}));
  expectError(infer("add", {f32({2}), i64({2})}), ErrorKind::type, "C1",
              "dtypes differ: x [2] f32, y [2] i64");
  expectError(infer("div", {i64({2}), i64({2})}), ErrorKind::type, "C2",
              "expected a float dtype: x [2] i64");
  expectError(infer("add", {b1({2}), b1({2})}), ErrorKind::type, "C2",
              "expected numbers, not booleans: x [2] bool");
  expectError(infer("add", {f32({2, 3}), f32({2})}), ErrorKind::value, "C3",
              "shapes do not broadcast at axis -1: 3 and 2: x [2, 3] f32, y [2] f32");
  expectError(infer("add", {f32({n}), f32({m})}), ErrorKind::value, "C3",
              "shapes do not broadcast at axis -1: n and m: x [n] f32, y [m] f32");
  expectError(infer("add", {f32({n}), f32({4})}), ErrorKind::value, "C3",
              "shapes do not broadcast at axis -1: n and 4: x [n] f32, y [4] f32");
}

TEST(ShapeRules, Broadcasting) {
  auto broadcast = [](std::vector<Shape> shapes) { return broadcastShapes(shapes); };
  EXPECT_EQ(broadcast({}).type.shape, Shape{});
  EXPECT_EQ(broadcast({{2, 1}, {3}, {}}).type.shape, (Shape{2, 3}));
  EXPECT_EQ(broadcast({{0}, {1}}).type.shape, Shape{0});
  EXPECT_EQ(broadcast({{n + 1}, {1 + n}}).type.shape, Shape{n + 1});
  EXPECT_FALSE(broadcast({{0}, {2}}));
  EXPECT_FALSE(broadcast({{n}, {n + 1}}));
  EXPECT_FALSE(broadcast({{1}, {2}, {3}}));
}

TEST(ShapeRules, Select) {
  expectType(infer("select", {b1({n, 1}), f32({3}), f32({})}), f32({n, 3}));
  expectError(infer("select", {f32({2}), f32({2}), f32({2})}), ErrorKind::type, "C1",
              "expected a boolean condition: condition [2] f32");
  expectError(infer("select", {b1({2}), f32({2}), i64({2})}), ErrorKind::type, "C2",
              "dtypes differ: x [2] f32, y [2] i64");
  expectError(infer("select", {b1({2}), f32({3}), f32({3})}), ErrorKind::value, "C3",
              "shapes do not broadcast at axis -1: 2 and 3: condition [2] bool, x [3] f32, "
              "y [3] f32");
}

TEST(ShapeRules, Cast) {
  expectType(infer("cast", {b1({n})}, {{"dtype", bfloat16}}), {bfloat16, {n}, CPU()});
}

//===----------------------------------------------------------------------===//
// Values from nothing
//===----------------------------------------------------------------------===//

Attributes dense(TensorType type, std::size_t bytes) {
  return {{"value", std::make_shared<const DenseData>(
                        DenseData{std::move(type), std::vector<std::byte>(bytes)})}};
}

TEST(ShapeRules, Constant) {
  TensorType there(float32, {2, 3}, CPU(1));
  expectType(infer("constant", {}, dense(there, 24)), there);
  expectType(infer("constant", {}, dense(f32({0}), 0)), f32({0}));
  expectError(infer("constant", {}, dense(f32({n}), 4)), ErrorKind::type, "C1",
              "expected a static shape: value [n] f32");
  expectError(infer("constant", {}, dense(f32({2}), 7)), ErrorKind::value, "C2",
              "expected 8 bytes, got 7: value [2] f32");
}

Attributes range(Shape shape, DType dtype, Attribute start, Attribute step) {
  return {{"shape", std::move(shape)},
          {"dtype", dtype},
          {"start", std::move(start)},
          {"step", std::move(step)}};
}

TEST(ShapeRules, Iota) {
  expectType(infer("iota", {}, range({n}, int64, int64_t(0), int64_t(1))), i64({n}));
  expectType(infer("iota", {}, range({4}, float32, 0.5, -1.0)), f32({4}));
  expectType(infer("iota", {}, range({128}, int8, int64_t(-128), int64_t(2))),
             {int8, {128}, CPU()});
  expectError(infer("iota", {}, range({2, 2}, int64, int64_t(0), int64_t(1))), ErrorKind::value,
              "C1", "expected a shape of one dim, got [2, 2]");
  expectError(infer("iota", {}, range({-1}, int64, int64_t(0), int64_t(1))), ErrorKind::type, "C1",
              "dimensions must be non-negative: [-1]");
  expectError(infer("iota", {}, range({2}, boolean, int64_t(0), int64_t(1))), ErrorKind::type, "C2",
              "expected numbers, not booleans");
  expectError(infer("iota", {}, range({2}, float32, int64_t(0), 1.0)), ErrorKind::type, "C3",
              "expected floating-point start and step for f32");
  expectError(infer("iota", {}, range({2}, int32, int64_t(0), 1.0)), ErrorKind::type, "C3",
              "expected integer start and step for i32");
  expectError(infer("iota", {}, range({130}, int8, int64_t(-1), int64_t(1))), ErrorKind::value,
              "C4", "numbers from -1 by 1 overflow i8 within 130 elements");
  expectError(infer("iota", {}, range({2}, uint64, int64_t(0), int64_t(-1))), ErrorKind::value,
              "C4", "numbers from 0 by -1 overflow u64 within 2 elements");
  Inferred later = infer("iota", {}, range({n - 1}, int64, int64_t(0), int64_t(1)));
  EXPECT_EQ(later.assumptions, std::vector{(n - 1).between(0, INT64_MAX)});
}

TEST(ShapeRules, Size) {
  expectType(infer("size", {}, {{"dim", Shape{n * m}}}), i64({}));
  expectError(infer("size", {}, {{"dim", Shape{n, m}}}), ErrorKind::value, "C1",
              "expected one dim, got [n, m]");
}

TEST(ShapeRules, IsNonNegative) {
  for (const Dim &dim : {Dim(0), Dim(7), n, n * m + 3, n / 4, (n + 1) / (m + 1)})
    EXPECT_TRUE(isNonNegative(dim)) << dim;
  for (const Dim &dim : {Dim(-1), -n, n - 1, n - m, (n - 1) / 2})
    EXPECT_FALSE(isNonNegative(dim)) << dim;
}

TEST(ShapeRules, AllConstraintsOfAGraph) {
  Graph graph;
  graph.inputs.push_back({Input::Role::argument, "x", f32({n, 2})});
  graph.constraints = {n.multipleOf(8)};
  Attributes first{{"starts", Shape{0, 0}}, {"stops", Shape{1, 2}}, {"steps", Axes{1, 1}}};
  for (ValueId id : {graph.addNode({"slice", {0}, first, f32({1, 2}), ""}),
                     graph.addNode({"slice", {0}, first, f32({1, 2}), ""}),
                     graph.addNode({"max", {0}, axis(0), f32({1, 2}), ""})})
    graph.outputs.push_back(id);
  EXPECT_EQ(allConstraints(graph),
            (std::vector{n.multipleOf(8), (n - 1).between(0, INT64_MAX), n.between(1, INT64_MAX)}));
}

} // namespace
