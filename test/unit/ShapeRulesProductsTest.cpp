#include "test/unit/ShapeRulesTesting.h"

#include <cmath>

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::ir::test;

namespace {

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

TEST(ShapeRules, Cumsum) {
  expectType(infer("cumsum", {f32({n, 0})}, {{"axis", int64_t(1)}, {"exclusive", true}}),
             f32({n, 0}));
  expectError(infer("cumsum", {f32({})}, axis(0)), ErrorKind::index, "C1",
              "axis 0 is out of range for x [] f32");
  expectError(infer("cumsum", {b1({n})}, axis(0)), ErrorKind::type, "C2",
              "expected numbers, not booleans: x [n] bool");
}

TEST(ShapeRules, Argsort) {
  auto count = [](Dim dim) { return Attributes{{"axis", int64_t(1)}, {"count", Shape{dim}}}; };
  Inferred all = infer("argsort", {b1({2, n})}, count(n));
  expectType(all, i64({2, n}));
  EXPECT_TRUE(all.assumptions.empty());
  Inferred some = infer("argsort", {f32({2, n, 3})}, count(m));
  expectType(some, i64({2, m, 3}));
  EXPECT_EQ(some.assumptions, std::vector{(n - m).between(0, INT64_MAX)});
  expectError(infer("argsort", {f32({2, n})}, count(n + 1)), ErrorKind::value, "C3",
              "count n + 1 is out of range for dimension size n of axis 1: x [2, n] f32");
}

} // namespace
