// The bounds themselves: exact where the spec is, as wide as the rule says elsewhere, unknown at
// jumps.
#include "test/unit/random/Check.h"
#include "test/unit/random/Element.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kiln::test {
namespace {

/// One operation, or a chain of them, on one input.
struct Chain {
  explicit Chain(std::vector<double> values, DType dtype = DType::float32) {
    type = TensorType(dtype, Shape{static_cast<int64_t>(values.size())}, CPU());
    graph.inputs = {{ir::Input::Role::argument, "x", type}};
    ir::DenseData data{type, {}};
    data.bytes.resize(values.size() * sizeBytes(dtype));
    for (std::size_t i = 0; i < values.size(); ++i)
      storeElement(data, i, values[i]);
    one.inputs = {data};
  }
  Chain &then(const std::string &op, ir::Attributes attributes = {}, int operands = 1) {
    auto last = static_cast<ir::ValueId>(graph.nodes.size());
    TensorType result = type;
    if (op == "sum")
      result.shape = Shape{1};
    if (op == "lt" || op == "eq")
      result.dtype = DType::boolean;
    if (op == "cast")
      result.dtype = attributes.get<DType>("dtype");
    std::vector<ir::ValueId> ids(static_cast<std::size_t>(operands), last);
    if (operands == 2)
      ids[1] = 0;
    graph.addNode({op, ids, std::move(attributes), result, ""});
    type = result;
    return *this;
  }
  /// Of the last node; 0 for one that is exact.
  double bound(std::size_t element) {
    graph.outputs = {static_cast<ir::ValueId>(graph.nodes.size())};
    Expected expected = interpret(graph, one);
    return expected.bounds[0]
               ? loadElement(DType::float64, expected.bounds[0]->bytes.data(), element)
               : 0;
  }
  ir::Graph graph;
  TensorType type;
  Case one;
};

TEST(ErrorBounds, ExactOperationsOnExactOperandsHaveNone) {
  EXPECT_EQ(Chain({0.1, 3e38}).then("add", {}, 2).then("sqrt").then("floor").bound(0), 0);
  EXPECT_EQ(Chain({0.1}).then("add", {}, 2).then("lt", {}, 2).bound(0), 0);
  EXPECT_EQ(Chain({0.1}).then("cast", {{"dtype", DType::int8}}).bound(0), 0);
  EXPECT_EQ(Chain({7}, DType::int16).then("mul", {}, 2).then("neg").bound(0), 0);
}

TEST(ErrorBounds, FunctionsHaveAFewUnits) {
  double bound = Chain({1}).then("exp").bound(0);
  EXPECT_GT(bound, 0x1p-23);
  EXPECT_LT(bound, 16 * 0x1p-22);
  // And grow: exp(exp(3)) errs by exp(exp(3)) * exp(3) times the relative error.
  double inner = Chain({3}).then("exp").bound(0),
         outer = Chain({3}).then("exp").then("exp").bound(0);
  EXPECT_GT(outer, inner * std::exp(std::exp(3.0)));
  EXPECT_LT(outer, 4 * inner * std::exp(std::exp(3.0)));
  EXPECT_GT(Chain({1}, DType::bfloat16).then("exp").bound(0), 0x1p-7);
}

TEST(ErrorBounds, SumsCountTheirTerms) {
  ir::Attributes axis{{"axis", int64_t{0}}};
  EXPECT_LT(Chain(std::vector<double>(10, 0.1)).then("sum", axis).bound(0), 20 * 0x1p-23);
  EXPECT_GT(Chain(std::vector<double>(100, 0.1)).then("sum", axis).bound(0), 50 * 0x1p-23);
  // What may overflow in another order is not known.
  EXPECT_TRUE(std::isinf(Chain({3e38, 3e38, -3e38}).then("sum", axis).bound(0)));
}

TEST(ErrorBounds, NothingIsKnownAtJumps) {
  ir::Attributes toInteger{{"dtype", DType::int32}};
  EXPECT_TRUE(std::isinf(Chain({0, 1}).then("exp").then("cast", toInteger).bound(0))); // exp(0) = 1
  EXPECT_EQ(Chain({0, 1}).then("exp").then("cast", toInteger).bound(1), 0);            // 2.7
  EXPECT_EQ(Chain({0}).then("exp").then("lt", {}, 2).bound(0), 0);                     // 1 < 0
  EXPECT_TRUE(std::isinf(Chain({1}).then("sin").then("sub", {}, 2).then("rsqrt").bound(0))); // < 0
}

TEST(ErrorBounds, InfinitiesAndNaNAreExpectedAsTheyAre) {
  EXPECT_EQ(Chain({1000}).then("exp").bound(0), 0);                  // infinite in float32
  EXPECT_TRUE(std::isinf(Chain({88.7228394}).then("exp").bound(0))); // at the edge
  EXPECT_EQ(Chain({NAN}).then("tanh").bound(0), 0);
}

TEST(ErrorBounds, WhatIsBeyondIsFound) {
  Chain chain({1, 2});
  chain.then("exp");
  chain.graph.outputs = {1};
  Expected expected = interpret(chain.graph, chain.one);
  auto got = expected.outputs;
  EXPECT_FALSE(findDifference(expected, got));
  storeElement(got[0], 1, std::exp(2.0) * (1 + 0x1p-19));
  EXPECT_TRUE(findDifference(expected, got));
  EXPECT_FALSE(findOtherBits(got, got));
  storeElement(got[0], 1, NAN);
  EXPECT_TRUE(findDifference(expected, got));
  EXPECT_FALSE(findOtherBits(got, got)) << "any NaN is as good as another";
}

} // namespace
} // namespace kiln::test
