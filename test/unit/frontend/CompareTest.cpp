// kiln::compare: right modules, and faults that the tests plant between the graph and the compiler.
#include "kiln/kiln.h"

#include "frontend/CompareGraph.h"
#include "frontend/CompiledState.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <unistd.h>

using namespace kiln;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

struct Block : nn::Module<Block> {
  nn::Linear first{4, 6}, second{6, 3};
  nn::LayerNorm norm{6};
  KILN_FIELDS(first, second, norm)

  Tensor operator()(const Tensor &x) const {
    Tensor hidden = norm(gelu(first(x)));
    return softmax(second(tanh(hidden)));
  }
};

Tensor ramp(std::vector<int64_t> sizes) {
  Shape shape{std::span<const int64_t>(sizes)};
  std::vector<float> values(static_cast<std::size_t>(shape.numElements().value()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.25f * static_cast<float>(i) - 1;
  return Tensor::fromData(values, shape);
}

std::string printed(const Comparison &comparison) {
  std::ostringstream text;
  text << comparison;
  return text.str();
}

TEST(Compare, ARightModuleIsEqual) {
  Block block;
  Comparison result = compare(block, ramp({2, 4}));
  EXPECT_TRUE(result) << result;
  EXPECT_TRUE(result.op.empty());
  EXPECT_TRUE(result.ir.empty());
  EXPECT_LT(result.maxDifference, 1e-6);
  EXPECT_THAT(printed(result), StartsWith("equal (largest difference "));
}

TEST(Compare, NamesAsDimsAndPassesThatAreOff) {
  Block block;
  CompareOptions options;
  options.types = {TensorType(DType::float32, {"batch", 4}, CPU())};
  options.compile.disabledPasses = {"kiln-fuse-linear"};
  EXPECT_TRUE(compare(block, {ramp({3, 4})}, options));
}

struct TwoInputs : nn::Module<TwoInputs> {
  Tensor scale = Tensor::full({3}, 2);
  KILN_FIELDS(scale)
  std::pair<Tensor, Tensor> operator()(const Tensor &x, const Tensor &y) const {
    return {x * scale + y, argmax(x * y, 0)};
  }
};

TEST(Compare, SeveralInputsAndResults) {
  TwoInputs module;
  EXPECT_TRUE(compare(module, ramp({5, 3}), ramp({5, 3}) * -0.5));
  EXPECT_TRUE(compare(module, {ramp({5, 3}), ramp({1, 3})}));
}

TEST(Compare, AToleranceThatNothingMeetsNamesTheFirstRoundedOperation) {
  // tanh is not correctly rounded: of enough numbers some differ in the last bit.
  struct Deep : nn::Module<Deep> {
    KILN_FIELDS()
    Tensor operator()(const Tensor &x) const { return tanh(x * 0.37) + 1; }
  } module;
  CompareOptions options;
  options.tolerance = 0;
  Comparison result = compare(module, {ramp({64, 4}) / 7}, options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.op, "tanh");
  EXPECT_THAT(result.location, StartsWith("CompareTest.cpp:"));
  EXPECT_THAT(result.ir, AllOf(HasSubstr("kiln.tanh"), HasSubstr("kiln.input = dense<")));
}

TEST(Compare, WrongInputs) {
  Block block;
  auto messageOf = [](auto call) -> std::string {
    try {
      call();
    } catch (const Error &error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THROW(compare(block, ramp({2, 4}), ramp({2, 4})), TypeError);
  EXPECT_THAT(messageOf([&] { compare(block, ramp({2, 4}), ramp({2, 4})); }),
              StartsWith("[compare] Block does not take 2 inputs (at CompareTest.cpp:"));
  EXPECT_THROW(compare(block, ramp({2, 5})), ValueError); // the linear's own error
  EXPECT_THROW(compare(block, std::vector<Tensor>{}), TypeError);
  EXPECT_THROW(compare(block, Tensor()), TypeError);

  CompareOptions options;
  options.types = {TensorType(DType::float32, {"n", "n"}, CPU())};
  struct Sum : nn::Module<Sum> {
    KILN_FIELDS()
    Tensor operator()(const Tensor &x) const { return x.sum(0); }
  } sum;
  EXPECT_THROW(compare(sum, {ramp({2, 3})}, options), ValueError);
  options.types.clear();
  struct Lookup : nn::Module<Lookup> {
    KILN_FIELDS()
    Tensor operator()(const Tensor &indices) const {
      return gather(Tensor::arange(0, 4, 1), indices);
    }
  } lookup;
  EXPECT_TRUE(compare(lookup, Tensor::constant({0, 3})));
  EXPECT_THROW(compare(lookup, Tensor::constant({0, 4})), IndexError);
}

TEST(Compare, Graphs) {
  Graph graph("double");
  {
    auto scope = graph.enter();
    Tensor x = graph.input(TensorType(DType::float32, {"n"}, CPU()));
    graph.output(x + x, exp(x));
  }
  EXPECT_TRUE(compare(graph, ramp({5})));
  EXPECT_THROW(compare(graph, ramp({5}), ramp({5})), TypeError);
  EXPECT_THROW(compare(Graph("empty"), ramp({5})), ValueError);
}

/// The graph of a traced function of one argument, with nodes placed at lines 1, 2, ….
struct Planted {
  explicit Planted(const std::function<Tensor(const Tensor &)> &body, const Tensor &x) {
    detail::Traced traced = detail::trace(
        {x.type()}, {}, "planted", {},
        [&](const Tensor *arguments) -> std::vector<Tensor> { return {body(arguments[0])}; });
    graph = detail::recordGraph(traced.arguments, traced.results, {}, "planted", {}).graph;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
      graph.nodes[i].location = "net.cpp:" + std::to_string(i + 1);
    x.realize();
    inputs = {x.handle()->value};
  }

  /// With a compiler that changes the graph before it compiles it.
  Comparison compare(const std::function<void(ir::Graph &)> &fault) const {
    detail::GraphRunner right = detail::compiledRunner({});
    return detail::compareGraph(graph, inputs, {},
                                [&](const ir::Graph &given, const auto &contents) {
                                  ir::Graph wrong = given;
                                  fault(wrong);
                                  return right(wrong, contents);
                                });
  }

  ir::Graph graph;
  std::vector<runtime::TensorValue> inputs;
};

TEST(Compare, APlantedFaultIsNamed) {
  Planted planted([](const Tensor &x) { return exp(sigmoid(tanh(x * 2)) - 1) * 3; }, ramp({7}));
  EXPECT_TRUE(planted.compare([](ir::Graph &) {}));
  Comparison result = planted.compare([](ir::Graph &graph) {
    for (ir::Node &node : graph.nodes)
      if (node.op == "sigmoid")
        node.op = "silu";
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.op, "sigmoid");
  auto isSigmoid = [](const ir::Node &node) { return node.op == "sigmoid"; };
  auto place = std::find_if(planted.graph.nodes.begin(), planted.graph.nodes.end(), isSigmoid) -
               planted.graph.nodes.begin() + 1;
  EXPECT_EQ(result.location, "net.cpp:" + std::to_string(place));
  // sigmoid(t) - t * sigmoid(t), t = tanh(2x).
  double most = 0;
  for (int i = 0; i < 7; ++i) {
    double t = std::tanh(2 * (0.25 * i - 1)), expected = 1 / (1 + std::exp(-t));
    most = std::max(most, std::abs(expected - t * expected));
    EXPECT_NEAR(result.expected.data<float>()[i], expected, 1e-6);
    EXPECT_NEAR(result.got.data<float>()[i], t * expected, 1e-6);
  }
  EXPECT_NEAR(result.maxDifference, most, 1e-6);
  EXPECT_THAT(result.ir, AllOf(HasSubstr("kiln.sigmoid"), HasSubstr("kiln.input = dense<"),
                               testing::Not(HasSubstr("kiln.exp"))));
  EXPECT_THAT(printed(result), AllOf(StartsWith("sigmoid differs by "), HasSubstr("(at net.cpp:"),
                                     HasSubstr("got Tensor(")));

  std::string path = testing::TempDir() + "kiln-compare-" + std::to_string(::getpid()) + ".mlir";
  result.writeIr(path);
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), result.ir);
  std::filesystem::remove(path);
  EXPECT_THROW(result.writeIr("/nowhere/at/all.mlir"), IoError);
}

TEST(Compare, AFaultOfTwoOperationsKeepsBothInItsIr) {
  Planted planted([](const Tensor &x) { return -exp(x) + 1; }, ramp({4}));
  Comparison result = planted.compare([](ir::Graph &graph) { // only where a neg is above an exp
    for (ir::Node &node : graph.nodes)
      if (node.op == "neg" && node.operands[0] >= graph.inputs.size())
        node.op = "abs";
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.op, "neg");
  EXPECT_THAT(result.ir, AllOf(HasSubstr("kiln.neg"), HasSubstr("kiln.exp"),
                               testing::Not(HasSubstr("kiln.add"))));
}

TEST(Compare, AFaultOfTheWholeAloneIsReportedAtItsOutput) {
  Planted planted([](const Tensor &x) { return (x * 2) + exp(x); }, ramp({4}));
  bool isFirst = true;
  Comparison result = planted.compare([&](ir::Graph &graph) {
    if (std::exchange(isFirst, false))
      graph.nodes.back().op = "sub";
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.op, "add");
  EXPECT_THAT(result.ir, AllOf(HasSubstr("kiln.add"), HasSubstr("kiln.exp")));
}

} // namespace
