#include "frontend/Symbolise.h"

#include "frontend/SymboliseRules.h"
#include "kiln/kiln.h"

#include <gmock/gmock.h>

using namespace kiln;
using testing::HasSubstr;

namespace {

/// The graph that a read of `tensor` would compile.
ir::Graph graphOf(const Tensor &tensor) {
  std::shared_ptr<detail::Node> roots[] = {tensor.handle()};
  return detail::symbolicGraph(detail::collectPending(roots));
}

std::string textOf(const Tensor &tensor) { return ir::canonicalText(graphOf(tensor)); }

TEST(Symbolise, BatchesOfALinearShareOneGraph) {
  nn::Linear linear(4, 3);
  auto of = [&](int64_t batch) { return textOf(linear(Tensor::ones({batch, 4}))); };
  std::string text = of(3);
  EXPECT_EQ(of(1), text);
  EXPECT_EQ(of(4), text); // a batch that happens to be another dim
  EXPECT_EQ(of(10), text);
  ir::Graph graph = graphOf(linear(Tensor::ones({3, 4})));
  EXPECT_EQ(graph.type(graph.outputs[0]).shape, (Shape{"s0", 3}));
  for (const ir::Input &input : graph.inputs)
    if (input.type.rank() == 2 && input.type.shape[0] == Dim(3))
      EXPECT_EQ(input.role, ir::Input::Role::weight);
}

TEST(Symbolise, EqualSizesAreOneNameOnlyWhereAnOperationWantsIt) {
  Tensor a = Tensor::ones({3, 3}), b = Tensor::ones({3, 3});
  ir::Graph sum = graphOf(a + b);
  EXPECT_EQ(sum.inputs[0].type.shape, (Shape{"s0", "s1"}));
  EXPECT_EQ(sum.inputs[1].type.shape, (Shape{"s0", "s1"}));
  ir::Graph joined = graphOf(concat({a, b}, 0));
  EXPECT_EQ(joined.inputs[1].type.shape, (Shape{"s2", "s1"}));
  EXPECT_EQ(joined.type(joined.outputs[0]).shape, (Shape{Dim("s0") + Dim("s2"), "s1"}));
}

TEST(Symbolise, ADimThatIsBroadcastIsANumber) {
  ir::Graph graph = graphOf(Tensor::ones({1, 5}) + Tensor::ones({4, 5}));
  EXPECT_EQ(graph.inputs[0].type.shape, (Shape{1, "s0"}));
  EXPECT_EQ(graph.inputs[1].type.shape, (Shape{"s1", "s0"}));
  graph = graphOf(Tensor::ones({1, 5}) + Tensor::ones({1, 5}));
  EXPECT_EQ(graph.inputs[0].type.shape, (Shape{"s0", "s1"}));
}

TEST(Symbolise, SlicesFollowTheSizesTheyMeet) {
  // Positions up to the length of the sequence: the bound is the sequence's name.
  auto of = [](int64_t seq) {
    Tensor x = Tensor::ones({2, seq, 8}), table = Tensor::ones({16, 8});
    return textOf(x + table.slice({Slice(0, seq)}));
  };
  std::string text = of(7);
  EXPECT_EQ(of(3), text);
  EXPECT_EQ(of(1), text);
  // A first entry stays one, whatever the sizes are.
  auto first = [](int64_t batch, int64_t seq) {
    return graphOf(Tensor::ones({batch, seq, 8}).slice({Slice(), 0}));
  };
  EXPECT_EQ(ir::canonicalText(first(2, 7)), ir::canonicalText(first(5, 3)));
  EXPECT_EQ(first(2, 7).type(first(2, 7).outputs[0]).shape, (Shape{"s0", "s2"}));
  // Also where the only one is the first, or where a bound is the size.
  EXPECT_EQ(ir::canonicalText(first(2, 1)), ir::canonicalText(first(2, 7)));
  EXPECT_EQ(of(16), text);
  // So does a last one.
  auto last = [](int64_t seq) { return textOf(Tensor::ones({2, seq}).slice({Slice(), -1})); };
  EXPECT_EQ(last(7), last(3));
}

/// The encoder layer of the main job, small.
struct Layer : nn::Module<Layer> {
  nn::Embedding words{50, {.dim = 8}}, positions{32, {.dim = 8}};
  nn::LayerNorm norm{8};
  nn::MultiHeadAttention attention{8, 2};
  nn::Linear up{8, 16}, down{16, 8};
  KILN_FIELDS(words, positions, norm, attention, up, down)

  Tensor operator()(const Tensor &ids, const Tensor &mask) const {
    Tensor x = words(ids) + positions(Tensor::arange(0, ids.shape()[1], 1));
    Tensor keep = (mask > 0).unsqueeze(1).unsqueeze(1);
    x = norm(x + attention(x, keep));
    x = norm(x + down(gelu(up(x))));
    Tensor weights = mask.cast(DType::float32).unsqueeze(-1);
    return (x * weights).sum(1).squeeze(1) / weights.sum(1).squeeze(1);
  }
};

TEST(Symbolise, AnEncoderIsOneGraphForAllBatchesAndLengths) {
  Layer layer;
  auto of = [&](int64_t batch, int64_t seq) {
    return textOf(
        layer(Tensor::ones({batch, seq}, DType::int64), Tensor::ones({batch, seq}, DType::int64)));
  };
  std::string text = of(3, 7);
  EXPECT_EQ(of(1, 7), text);
  EXPECT_EQ(of(7, 3), text);
  EXPECT_EQ(of(8, 16), text);
  EXPECT_EQ(of(5, 5), text);
  EXPECT_EQ(of(2, 8), text);
  EXPECT_EQ(of(1, 1), text);
  ir::Graph graph =
      graphOf(layer(Tensor::ones({3, 7}, DType::int64), Tensor::ones({3, 7}, DType::int64)));
  EXPECT_EQ(graph.type(graph.outputs[0]).shape, (Shape{"s0", 8}));
}

TEST(Symbolise, FlattenedBatchesAreProducts) {
  auto of = [](int64_t batch, int64_t seq) {
    return graphOf(Tensor::ones({batch, seq, 4}).reshape({-1, 4}) * 2);
  };
  ir::Graph graph = of(3, 7);
  EXPECT_EQ(ir::canonicalText(of(1, 7)), ir::canonicalText(graph));
  EXPECT_EQ(ir::canonicalText(of(1, 1)), ir::canonicalText(graph));
  EXPECT_EQ(ir::canonicalText(of(4, 4)), ir::canonicalText(graph));
}

std::vector<std::string> reshaped(const std::vector<int64_t> &from, const std::vector<int64_t> &to,
                                  int64_t inferredAxis = -1) {
  detail::DimSolver solver;
  detail::Dims dims;
  for (int64_t size : from)
    dims.push_back(solver.fresh(size));
  std::vector<std::string> result;
  for (const Dim &dim : detail::matchReshape(solver, dims, to, inferredAxis))
    result.push_back(solver.resolve(dim).str());
  return result;
}

TEST(Symbolise, ReshapesMatchGroupsFromTheLeft) {
  using testing::ElementsAre;
  EXPECT_THAT(reshaped({3, 7, 8}, {3, 7, 8}), ElementsAre("d0", "d1", "d2"));
  EXPECT_THAT(reshaped({3, 7, 8}, {3, 7, 2, 4}), ElementsAre("d0", "d1", "2", "4"));
  EXPECT_THAT(reshaped({3, 7}, {3, 1, 1, 7}), ElementsAre("d0", "1", "1", "d1"));
  EXPECT_THAT(reshaped({3, 7}, {21}), ElementsAre("d0 * d1"));
  EXPECT_THAT(reshaped({21}, {3, 7}), ElementsAre("3", "7"));
  EXPECT_THAT(reshaped({6, 4}, {8, 3}), ElementsAre("8", "3"));
  EXPECT_THAT(reshaped({1, 7, 8}, {7, 8}, 0), ElementsAre("d0 * d1", "d2"));
  EXPECT_THAT(reshaped({0, 4}, {0, 2, 2}), ElementsAre("d0", "2", "2"));
  EXPECT_THAT(reshaped({1}, {}), ElementsAre());
  EXPECT_THAT(reshaped({}, {1, 1}), ElementsAre("1", "1"));
}

TEST(Symbolise, WhatIsNotUnderstoodKeepsItsSizes) {
  ir::Graph graph = graphOf((Tensor::ones({6, 4}) * 2).reshape({8, 3}) + 1);
  EXPECT_EQ(graph.inputs[0].type.shape, (Shape{6, 4}));
}

TEST(Symbolise, ZeroSizesWork) {
  ir::Graph graph = graphOf(Tensor::ones({0, 4}) + 1);
  EXPECT_EQ(graph.inputs[0].type.shape, (Shape{"s0", "s1"}));
}

} // namespace
