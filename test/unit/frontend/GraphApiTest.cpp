#include "kiln/kiln.h"

#include <array>
#include <gmock/gmock.h>
#include <sstream>
#include <thread>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

TEST(GraphApi, ConstantsOnly) {
  std::vector<int> values(64);
  for (int i = 0; i < 64; ++i)
    values[static_cast<std::size_t>(i)] = i % 10;
  Graph graph("embedding_example");
  {
    auto scope = graph.enter();
    auto indices = ops::constant(values, {4, 16}, DType::int32);
    EXPECT_EQ(indices.dtype(), DType::int32);
    nn::Embedding embedding(10, {.dim = 256});
    auto out = embedding(indices);
    std::ostringstream shape;
    shape << out.shape();
    EXPECT_EQ(shape.str(), "[Dim(4), Dim(16), Dim(256)]");
    graph.output(out);
  }
  auto run = graph.compile();
  GraphResults results = run();
  ASSERT_EQ(results.size(), 1u);
  Tensor out = results;
  EXPECT_EQ(out.shape(), (Shape{4, 16, 256}));
  EXPECT_EQ(out.slice({0, 3}).toVector<float>(), out.slice({0, 13}).toVector<float>());
  EXPECT_NE(out.slice({0, 3}).toVector<float>(), out.slice({0, 4}).toVector<float>());
}

TEST(GraphApi, InputsOfNamedSizesAndSeveralResults) {
  Graph graph("two");
  Tensor weight = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}});
  {
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n", 2}));
    Tensor y = graph.input(TensorType(DType::float32, {"n", 2}));
    graph.output(ops::matmul(x, weight) + y, ops::sum(x, 0));
  }
  EXPECT_THAT([&] { graph.compile(CompileOptions{.weights = {{"weight", weight}}}); },
              ThrowsMessage<TypeError>(HasSubstr("has no parameters to take weights")));
  auto run = graph.compile();
  for (int64_t n : {1, 3}) {
    GraphResults results = run(Tensor::ones({n, 2}), Tensor::full({n, 2}, 0.5));
    ASSERT_EQ(results.size(), 2u);
    EXPECT_EQ(results[0].shape(), (Shape{n, 2}));
    EXPECT_EQ(results[0].toVector<float>()[1], 6.5f);
    EXPECT_EQ(results[1].toVector<float>()[0], static_cast<float>(n));
    EXPECT_THROW((void)static_cast<const Tensor &>(results), ValueError);
  }
  EXPECT_THAT([&] { run(Tensor::ones({3, 2}), Tensor::ones({4, 2})); },
              ThrowsMessage<ValueError>(HasSubstr("symbolic dimension \"n\"")));
  EXPECT_THAT([&] { run(Tensor::ones({3, 2})); },
              ThrowsMessage<TypeError>(HasSubstr("[two] takes 2 inputs, got 1")));
  EXPECT_THAT([&] { run(); }, ThrowsMessage<TypeError>(HasSubstr("GraphApiTest.cpp:")));
  EXPECT_EQ(run(std::vector<Tensor>{Tensor::ones({1, 2}), Tensor::ones({1, 2})}).size(), 2u);
  EXPECT_NE(run.ir("import").find("kiln.matmul"), std::string::npos);
}

TEST(GraphApi, ReadingWithinAScopeIsATypeError) {
  Graph graph("reads");
  Tensor outside = Tensor::ones({2}), pending = outside + 1, inside, large;
  {
    auto scope = graph.enter();
    inside = ops::constant({1.0f, 2.0f}, {2}) + 1;
    EXPECT_THAT([&] { inside.toVector<float>(); },
                ThrowsMessage<TypeError>(HasSubstr("Can't realize from a graph context")));
    EXPECT_THROW(inside.realize(), TypeError);
    EXPECT_THROW(pending.realize(), TypeError);
    EXPECT_EQ(outside.toVector<float>()[0], 1); // is there already
    std::ostringstream text;
    text << inside;
    EXPECT_THAT(text.str(), HasSubstr("<unrealized>"));
    large = ops::constant(std::vector<float>(100), {100});
    EXPECT_THROW(large.toVector<float>(), TypeError);
  }
  EXPECT_EQ(pending.toVector<float>()[0], 2);
  EXPECT_THROW(large + 1, TypeError);
  EXPECT_THAT([&] { inside.toVector<float>(); },
              ThrowsMessage<TypeError>(HasSubstr("part of graph \"reads\"")));
  EXPECT_THAT([&] { inside + 1; }, ThrowsMessage<TypeError>(HasSubstr("part of graph \"reads\"")));
}

TEST(GraphApi, ScopesNestAndGraphsDoNotMix) {
  Graph outer("outer"), inner("inner");
  {
    auto scope = outer.enter();
    Tensor x = outer.input(TensorType(DType::float32, {2}));
    {
      auto nested = inner.enter();
      EXPECT_THROW(x + 1, TypeError);
      Tensor y = inner.input(TensorType(DType::float32, {2}));
      inner.output(y * 3);
      EXPECT_THROW(inner.output(x), TypeError);
    }
    outer.output(x + 1); // records in the outer one again
  }
  Tensor ones = Tensor::ones({2});
  EXPECT_THAT(outer.compile()(ones)[0].toVector<float>(), ElementsAre(2, 2));
  EXPECT_THAT(inner.compile()(ones)[0].toVector<float>(), ElementsAre(3, 3));
}

TEST(GraphApi, ScopesAreOfOneThread) {
  Graph graph("mine");
  auto scope = graph.enter();
  std::vector<float> values;
  std::thread([&] { values = (Tensor::ones({2}) + 1).toVector<float>(); }).join();
  EXPECT_THAT(values, ElementsAre(2, 2));
}

TEST(GraphApi, ModulesCompileAndRunWithinAScope) {
  Graph graph("around");
  nn::Linear linear(2, 3);
  Tensor x = random::uniform({4, 2}).realize();
  std::vector<float> expected = linear(x).toVector<float>();
  Tensor y;
  {
    auto scope = graph.enter();
    auto model = linear.compile(TensorType(DType::float32, {"n", 2}));
    y = model(x); // runs: nothing of it is of the graph
    Tensor z = graph.input(TensorType(DType::float32, {"n", 2}));
    graph.output(linear(z));
  }
  EXPECT_EQ(y.toVector<float>(), expected);
  Tensor z = graph.compile()(x);
  EXPECT_EQ(z.toVector<float>(), expected);
}

TEST(GraphApi, Mistakes) {
  Graph graph("empty");
  EXPECT_THAT([&] { graph.compile(); }, ThrowsMessage<ValueError>(HasSubstr("no output")));
  EXPECT_THROW(graph.input(TensorType(DType::float32, {Dim("n") + 1})), ValueError);
  EXPECT_THROW(graph.output(Tensor()), TypeError);
  auto scope = graph.enter();
  EXPECT_THROW(ops::constant({1, 2, 3}, {4}), ValueError);
}

TEST(GraphApi, ConstantsOfManyRanges) {
  std::array<int64_t, 2> array = {1, 2};
  const float plain[] = {1, 2};
  EXPECT_THAT(ops::constant(array, {2}).toVector<int64_t>(), ElementsAre(1, 2));
  EXPECT_THAT(ops::constant(plain, {2, 1}).toVector<float>(), ElementsAre(1, 2));
  EXPECT_THAT(ops::constant({1, 2}, {1, 2}, DType::float64).toVector<double>(), ElementsAre(1, 2));
  EXPECT_EQ(ops::constant(3).item<int>(), 3);
}

} // namespace
