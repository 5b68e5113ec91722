#include "ir/ShapeRules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

using namespace kiln;
using namespace kiln::ir;
using testing::HasSubstr;
using enum DType;

namespace {

const Dim n("n"), m("m"), b("b");

TensorType f32(Shape shape) { return {float32, std::move(shape), CPU()}; }
TensorType i64(Shape shape) { return {int64, std::move(shape), CPU()}; }
TensorType b1(Shape shape) { return {boolean, std::move(shape), CPU()}; }

Inferred infer(std::string_view op, const std::vector<TensorType> &operands,
               const Attributes &attributes = {}) {
  return inferType(op, operands, attributes);
}

void expectType(const Inferred &inferred, const TensorType &type) {
  EXPECT_TRUE(inferred) << inferred.label << ": " << inferred.message;
  EXPECT_EQ(inferred.type, type) << inferred.type << ", expected " << type;
}

void expectError(const Inferred &inferred, ErrorKind kind, std::string_view label,
                 const std::string &message) {
  EXPECT_EQ(inferred.error, kind) << inferred.message;
  EXPECT_EQ(inferred.label, label);
  EXPECT_EQ(inferred.message, message);
}

using Axes = std::vector<int64_t>;
Attributes axis(int64_t value) { return {{"axis", value}}; }
Attributes shape(Shape value) { return {{"shape", std::move(value)}}; }

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
  Inferred inferred = infer("concat", {f32({INT64_MAX}), f32({1})}, axis(0));
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

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

TEST(ShapeRules, Matmul) {
  expectType(infer("matmul", {f32({2, 3}), f32({3, 2})}), f32({2, 2}));
  expectType(infer("matmul", {f32({1, 3, 4}), f32({2, 4, 5})}), f32({2, 3, 5}));
  expectType(infer("matmul", {f32({"A", 1, "B", "C"}), f32({"D", "C", "E"})}),
             f32({"A", "D", "B", "E"}));
  expectType(infer("matmul", {f32({2, 0}), f32({0, 3})}), f32({2, 3}));
  expectError(infer("matmul", {f32({3}), f32({3, 2})}), ErrorKind::value, "C1",
              "expected operands of rank 2 or more: x [3] f32, y [3, 2] f32");
  expectError(infer("matmul", {f32({2, 3}), i64({3, 2})}), ErrorKind::type, "C2",
              "dtypes differ: x [2, 3] f32, y [3, 2] i64");
  expectError(infer("matmul", {b1({2, 3}), b1({3, 2})}), ErrorKind::type, "C3",
              "expected numbers, not booleans: x [2, 3] bool");
  expectError(infer("matmul", {f32({3, 4}), f32({5, 6})}), ErrorKind::value, "C4",
              "inner dims differ: x [3, 4] f32, y [5, 6] f32");
  expectError(infer("matmul", {f32({"M", "K"}), f32({"J", "N"})}), ErrorKind::value, "C4",
              "inner dims differ: x [M, K] f32, y [J, N] f32");
  expectError(
      infer("matmul", {f32({2, 3, 4}), f32({5, 4, 6})}), ErrorKind::value, "C5",
      "batch shapes do not broadcast at axis -1: 2 and 5: x [2, 3, 4] f32, y [5, 4, 6] f32");
}

TEST(ShapeRules, Linear) {
  Attributes two{{"weights", int64_t(2)}};
  auto results = [](const std::vector<TensorType> &operands, const Attributes &attributes) {
    return inferTypes("linear", operands, attributes);
  };
  expectType(infer("linear", {f32({n, 4}), f32({5, 4})}), f32({n, 5}));
  expectType(infer("linear", {f32({4}), f32({5, 4}), f32({5})}), f32({5}));
  expectType(infer("linear", {f32({n, 4}), f32({4, 5}), f32({5})}, {{"transposed", false}}),
             f32({n, 5}));
  auto both = results({f32({n, 4}), f32({5, 4}), f32({6, 4}), f32({5}), f32({6})}, two);
  ASSERT_EQ(both.size(), 2u);
  expectType(both[0], f32({n, 5}));
  expectType(both[1], f32({n, 6}));
  expectError(infer("linear", {f32({4}), f32({5, 4}), f32({5, 4}), f32({5})}, two), ErrorKind::type,
              "C1", "expected x, 2 weights and no bias or one for each, got 4 operands");
  expectError(infer("linear", {f32({}), f32({5, 4})}), ErrorKind::value, "C2",
              "expected a rank of 1 or more: x [] f32");
  expectError(infer("linear", {b1({4}), b1({5, 4})}), ErrorKind::type, "C3",
              "expected numbers, not booleans: x [4] bool");
  expectError(infer("linear", {f32({4}), i64({5, 4})}), ErrorKind::type, "C4",
              "dtypes differ: x [4] f32, weight [5, 4] i64");
  expectError(infer("linear", {f32({4}), f32({5, 4}), i64({5})}), ErrorKind::type, "C4",
              "dtypes differ: x [4] f32, bias [5] i64");
  expectError(infer("linear", {f32({4}), f32({4})}), ErrorKind::value, "C5",
              "expected a weight of rank 2: weight [4] f32");
  expectError(infer("linear", {f32({4}), f32({4, 5})}), ErrorKind::value, "C6",
              "inner dims differ: x [4] f32, weight [4, 5] f32");
  expectError(infer("linear", {f32({4}), f32({5, 4}), f32({4})}), ErrorKind::value, "C7",
              "expected a bias of shape [5]: weight [5, 4] f32, bias [4] f32");
  EXPECT_EQ(results({f32({4}), f32({5, 4}), f32({5, 3})}, two).size(), 1u) << "an error is alone";
}

Attributes scaled(double scale = 0.5, std::string layout = "bhsd") {
  return {{"scale", scale}, {"layout", std::move(layout)}};
}

TEST(ShapeRules, Attention) {
  TensorType q = f32({b, 8, n, 16}), k = f32({b, 2, m, 16}), v = f32({b, 2, m, 32});
  expectType(infer("attention", {q, k, v}, {{"scale", 0.5}}), f32({b, 8, n, 32}));
  for (Shape mask : {Shape{b, 1, 1, m}, Shape{n, m}, Shape{}, Shape{8, 1, m}})
    expectType(infer("attention", {q, k, v, b1(mask)}, scaled()), f32({b, 8, n, 32}));
  expectType(infer("attention", {q, k, v, f32({m})}, scaled()), f32({b, 8, n, 32}));
  expectType(infer("attention", {f32({n, 8, 16}), f32({m, 8, 16}), f32({m, 8, 4}), b1({n, m})},
                   scaled(1, "bshd")),
             f32({n, 8, 4}));
  Dim h("h");
  expectType(infer("attention", {f32({4 * h, n, 2}), f32({h, m, 2}), f32({h, m, 2})}, scaled()),
             f32({4 * h, n, 2}));
}

TEST(ShapeRules, AttentionConstraints) {
  TensorType q = f32({b, 8, n, 16}), k = f32({b, 2, m, 16}), v = f32({b, 2, m, 32});
  auto error = [](std::vector<TensorType> operands, ErrorKind kind, const char *label,
                  const std::string &message, const Attributes &attributes = scaled()) {
    expectError(infer("attention", operands, attributes), kind, label, message);
  };
  error({f32({2, 4}), f32({2, 4}), f32({2, 4})}, ErrorKind::value, "C1",
        "expected operands of one rank, 3 or more: q [2, 4] f32, k [2, 4] f32, v [2, 4] f32");
  error({q, k, {float16, v.shape, CPU()}}, ErrorKind::type, "C2",
        "dtypes differ: q [b, 8, n, 16] f32, v [b, 2, m, 32] f16");
  error({i64({1, 2, 3}), i64({1, 2, 3}), i64({1, 2, 3})}, ErrorKind::type, "C3",
        "expected a float dtype: q [1, 2, 3] i64");
  error({q, f32({3, 2, m, 16}), v}, ErrorKind::value, "C4",
        "batch dims of axis 0 differ: q [b, 8, n, 16] f32, k [3, 2, m, 16] f32, "
        "v [b, 2, m, 32] f32");
  error({q, f32({b, 2, m, 17}), v}, ErrorKind::value, "C5",
        "head sizes differ: q [b, 8, n, 16] f32, k [b, 2, m, 17] f32");
  error({q, k, f32({b, 2, n, 32})}, ErrorKind::value, "C5",
        "heads or lengths differ: k [b, 2, m, 16] f32, v [b, 2, n, 32] f32");
  error({q, f32({b, 3, m, 16}), f32({b, 3, m, 16})}, ErrorKind::value, "C6",
        "8 heads of q are no multiple of 3 heads of k: q [b, 8, n, 16] f32, k [b, 3, m, 16] f32");
  error({q, f32({b, 0, m, 16}), f32({b, 0, m, 16})}, ErrorKind::value, "C6",
        "8 heads of q are no multiple of 0 heads of k: q [b, 8, n, 16] f32, k [b, 0, m, 16] f32");
  error({q, k, v, i64({m})}, ErrorKind::type, "C7",
        "expected a mask of booleans or of the dtype of q: q [b, 8, n, 16] f32, mask [m] i64");
  error({q, k, v, b1({n})}, ErrorKind::value, "C8",
        "the mask does not broadcast to [..., H, Sq, Sk], [b, 8, n, m]: mask [n] bool");
  error({q, k, v, b1({1, 1, 1, 1, m})}, ErrorKind::value, "C8",
        "the mask does not broadcast to [..., H, Sq, Sk], [b, 8, n, m]: mask [1, 1, 1, 1, m] bool");
  error({q, k, v}, ErrorKind::value, "C9", "expected layout \"bhsd\" or \"bshd\", got \"sbhd\"",
        scaled(1, "sbhd"));
  error({q, k, v}, ErrorKind::value, "C10", "scale must be finite, got inf", scaled(INFINITY));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

TEST(ShapeRules, Reductions) {
  for (const char *op : {"sum", "prod", "mean", "max", "min"}) {
    expectType(infer(op, {f32({2, n, 4})}, axis(1)), f32({2, 1, 4}));
    expectError(infer(op, {f32({2})}, axis(1)), ErrorKind::index, "C1",
                "axis 1 is out of range for x [2] f32");
    expectError(infer(op, {f32({2})}, axis(-1)), ErrorKind::index, "C1",
                "axis -1 is out of range for x [2] f32");
    expectError(infer(op, {f32({})}, axis(0)), ErrorKind::index, "C1",
                "axis 0 is out of range for x [] f32");
    EXPECT_EQ(infer(op, {b1({2})}, axis(0)).label, "C2");
  }
  expectType(infer("sum", {f32({0})}, axis(0)), f32({1}));
  expectType(infer("sum", {i64({2})}, axis(0)), i64({1}));
  expectError(infer("mean", {i64({2})}, axis(0)), ErrorKind::type, "C2",
              "expected a float dtype: x [2] i64");
}

TEST(ShapeRules, ExtremaNeedElements) {
  for (const char *op : {"max", "min", "argmax", "argmin"}) {
    expectError(infer(op, {f32({2, 0})}, axis(1)), ErrorKind::value, "C3",
                "the axis 1 has no elements: x [2, 0] f32");
    EXPECT_TRUE(infer(op, {f32({0, 2})}, axis(1)));
    EXPECT_TRUE(infer(op, {f32({n, 2})}, axis(1)).assumptions.empty());
    EXPECT_TRUE(infer(op, {f32({n + 1})}, axis(0)).assumptions.empty());
    EXPECT_EQ(infer(op, {f32({n, 2})}, axis(0)).assumptions, std::vector{n.between(1, INT64_MAX)});
  }
  expectType(infer("argmax", {f32({2, n})}, axis(1)), i64({2, 1}));
}

TEST(ShapeRules, Softmax) {
  expectType(infer("softmax", {f32({n, 0})}, axis(1)), f32({n, 0}));
  expectError(infer("softmax", {f32({n})}, axis(1)), ErrorKind::index, "C1",
              "axis 1 is out of range for x [n] f32");
  expectError(infer("softmax", {i64({n})}, axis(0)), ErrorKind::type, "C2",
              "expected a float dtype: x [n] i64");
}

TEST(ShapeRules, LayerNorm) {
  Attributes epsilon{{"epsilon", 1e-5}};
  expectType(infer("layer_norm", {f32({b, n, 4}), f32({4}), f32({4})}, epsilon), f32({b, n, 4}));
  expectType(infer("layer_norm", {f32({b, n})}, epsilon), f32({b, n}));
  expectType(infer("layer_norm", {f32({2, 0}), f32({0}), f32({0})}, epsilon), f32({2, 0}));
  expectError(infer("layer_norm", {f32({4}), f32({4})}, epsilon), ErrorKind::type, "C1",
              "expected weight and bias or neither, got 2 operands");
  expectError(infer("layer_norm", {f32({})}, epsilon), ErrorKind::value, "C2",
              "expected a rank of 1 or more: x [] f32");
  expectError(infer("layer_norm", {i64({4})}, epsilon), ErrorKind::type, "C3",
              "expected a float dtype: x [4] i64");
  expectError(infer("layer_norm", {f32({4}), {float64, {4}, CPU()}, f32({4})}, epsilon),
              ErrorKind::type, "C4", "dtypes differ: x [4] f32, weight [4] f64");
  expectError(infer("layer_norm", {f32({2, 4}), f32({4}), f32({5})}, epsilon), ErrorKind::value,
              "C5", "bias does not match dimension of reduction: x [2, 4] f32, bias [5] f32");
  expectError(infer("layer_norm", {f32({2, 4}), f32({1}), f32({4})}, epsilon), ErrorKind::value,
              "C5", "weight does not match dimension of reduction: x [2, 4] f32, weight [1] f32");
  for (double bad : {0.0, -1.0, std::nan(""), static_cast<double>(INFINITY)})
    EXPECT_THAT(infer("layer_norm", {f32({4})}, {{"epsilon", bad}}).message,
                HasSubstr("epsilon must be positive"));
}

TEST(ShapeRules, IsNonNegative) {
  for (const Dim &dim : {Dim(0), Dim(7), n, n * m + 3, n / 4, (n + 1) / (m + 1)})
    EXPECT_TRUE(isNonNegative(dim)) << dim;
  for (const Dim &dim : {Dim(-1), -n, n - 1, n - m, (n - 1) / 2})
    EXPECT_FALSE(isNonNegative(dim)) << dim;
}

} // namespace
