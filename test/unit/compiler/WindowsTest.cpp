// Windows in kernels: views, joined axes, reductions and products of them, against the interpreter.
#include "GraphRunner.h"

#include "codegen/Target.h"
#include "ir/Interpreter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace kiln::test {
namespace {

/// A program drawn at random that reads windows.
class Drawer {
public:
  explicit Drawer(unsigned seed) : draw(seed) {}

  std::vector<std::vector<float>> contents; // of the inputs
  std::vector<std::vector<int64_t>> sizes;

  /// Inputs come before nodes in a graph, but are drawn when a node needs them.
  ir::Graph graph() {
    GraphBuilder g;
    std::vector<ir::ValueId> ids(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i].op.empty())
        ids[i] = g.input(values[i].role, values[i].type);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!values[i].op.empty()) {
        std::vector<ir::ValueId> operands;
        for (std::size_t operand : values[i].operands)
          operands.push_back(ids[operand]);
        ids[i] = g.node(values[i].op.c_str(), operands, values[i].attributes);
      }
    g.output(ids.back());
    return g.graph;
  }

  void program() {
    const int64_t channels = one() ? 16 * from(1, 2) : from(1, 9);
    const int64_t h = from(1, 9), w = from(1, 20);
    std::size_t x = input(
        ir::Input::Role::argument,
        {Dim(from(1, 3)), one() ? Dim(h) : Dim("h"), one() ? Dim(w) : Dim("w"), Dim(channels)},
        {{"h", h}, {"w", w}});
    if (one())
      x = edges(x, from(1, 3));
    std::size_t y = windows(x, from(1, 3));
    if (one() && shape(y).rank() < 7)
      y = windows(y, from(0, shape(y).rank() - 1));
    if (one())
      y = permuted(y);
    if (from(0, 3))
      y = joined(y);
    if (one())
      y = node("relu", {y});
    switch (from(0, 3)) {
    case 0:
      break;
    case 1:
      node(one() ? "mean" : "max", {y}, {{"axis", from(0, shape(y).rank() - 1)}});
      break;
    default:
      product(y);
    }
  }

private:
  int64_t from(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(draw);
  }
  bool one() { return from(0, 1) == 1; }
  const Shape &shape(std::size_t value) { return values[value].type.shape; }

  struct Value {
    std::string op; // empty: an input
    std::vector<std::size_t> operands;
    ir::Attributes attributes;
    TensorType type;
    ir::Input::Role role = ir::Input::Role::argument;
  };
  std::size_t node(const char *op, std::vector<std::size_t> operands,
                   ir::Attributes attributes = {}) {
    std::vector<TensorType> types;
    for (std::size_t operand : operands)
      types.push_back(values[operand].type);
    ir::Inferred inferred = ir::inferType(op, types, attributes);
    EXPECT_TRUE(inferred) << op << ": " << inferred.message;
    values.push_back({op, std::move(operands), std::move(attributes), inferred.type});
    return values.size() - 1;
  }

  std::size_t input(ir::Input::Role role, std::vector<Dim> dims, const DimBindings &bindings) {
    sizes.push_back(Shape(dims).evaluate(bindings));
    std::size_t count = 1;
    for (int64_t size : sizes.back())
      count *= static_cast<std::size_t>(size);
    contents.push_back(randomFloats(count, static_cast<unsigned>(contents.size())));
    values.push_back({{}, {}, {}, TensorType(DType::float32, Shape(std::move(dims)), CPU()), role});
    return values.size() - 1;
  }

  std::size_t edges(std::size_t x, int64_t axis) {
    auto data =
        std::make_shared<ir::DenseData>(ir::makeHostTensor(std::vector<float>{0.5f}, Shape{}));
    std::size_t number =
        node("constant", {}, {{"value", std::shared_ptr<const ir::DenseData>(data)}});
    std::vector<Dim> dims = shape(x).vec();
    dims[static_cast<std::size_t>(axis)] = from(1, 2);
    std::size_t edge = node("broadcast_to", {number}, {{"shape", Shape(dims)}});
    return node("concat", {edge, x, edge}, {{"axis", axis}});
  }

  std::size_t windows(std::size_t x, int64_t axis) {
    // Small enough for a size of 1 that is known by name alone: those fit by assumption.
    int64_t size = from(1, 3), dilation = from(1, 2);
    const Dim &n = shape(x)[axis];
    if (!n.isStatic() || n.value() < dilation * (size - 1) + 1)
      size = 1;
    return node("windows", {x},
                {{"axis", axis}, {"size", size}, {"stride", from(1, 3)}, {"dilation", dilation}});
  }

  std::size_t permuted(std::size_t x) {
    std::vector<int64_t> axes(static_cast<std::size_t>(shape(x).rank()));
    std::iota(axes.begin(), axes.end(), 0);
    std::shuffle(axes.begin(), axes.end() - (one() ? 1 : 0), draw);
    return node("permute", {x}, {{"axes", axes}});
  }

  /// Some of the axes, mostly the last ones, as one.
  std::size_t joined(std::size_t x) {
    int64_t rank = shape(x).rank(), first = from(0, rank - 2);
    int64_t last = one() ? rank - 1 : from(first + 1, rank - 1);
    std::vector<Dim> dims(shape(x).begin(), shape(x).begin() + first);
    Dim all = 1;
    for (int64_t axis = first; axis <= last; ++axis)
      all = all * shape(x)[axis];
    dims.push_back(all);
    dims.insert(dims.end(), shape(x).begin() + last + 1, shape(x).end());
    return node("reshape", {x}, {{"shape", Shape(std::move(dims))}});
  }

  void product(std::size_t x) {
    Dim depth = shape(x)[-1];
    if (shape(x).rank() < 2 || !depth.isStatic())
      return;
    std::size_t weight = input(ir::Input::Role::weight, {depth, Dim(from(1, 40))}, {});
    std::size_t y = node("matmul", {x, weight});
    if (one())
      y = node("add", {y, input(ir::Input::Role::weight, {shape(y)[-1]}, {})});
    if (one())
      node("neg", {y});
  }

  std::mt19937 draw;
  std::vector<Value> values; // the last one is the result
};

TEST(Windows, KernelsEqualTheInterpreter) {
  auto targets = codegen::Target::allOnHost();
  for (unsigned seed = 0; seed < 60; ++seed) {
    Drawer drawn(seed);
    drawn.program();
    ir::Graph graph = drawn.graph();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + ir::canonicalText(graph));
    std::vector<ir::HostTensor> arguments;
    std::vector<runtime::TensorValue> inputs;
    for (std::size_t i = 0; i < drawn.contents.size(); ++i) {
      arguments.push_back(
          ir::makeHostTensor(drawn.contents[i], Shape(std::span<const int64_t>(drawn.sizes[i]))));
      inputs.push_back(tensor<float>(drawn.sizes[i], drawn.contents[i]));
    }
    ir::Evaluation expected = ir::interpretGraph(graph, arguments);
    ASSERT_TRUE(expected) << expected.message;
    auto want = ir::valuesOf<float>(expected.results[0]);
    auto executable = load(graph, targets[seed % targets.size()].name);
    ASSERT_TRUE(executable);
    auto got = contents<float>(run(*executable, inputs)[0]);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], want[i], 2e-5 * (1 + std::abs(want[i]))) << "element " << i;
  }
}

/// Runs that are no whole vectors, over rows longer than the blocks that a product sums at once:
/// what a vector holds beyond its run, or beyond a block, must not reach its neighbours.
TEST(Windows, RunsOfEveryLengthInLongRows) {
  auto targets = codegen::Target::allOnHost();
  targets.push_back(llvm::cantFail(codegen::Target::host())); // may multiply in bfloat16
  for (const auto &target : targets)
    for (int64_t channels : {1, 3, 7, 16, 17, 21, 50}) {
      SCOPED_TRACE(target.name + ", runs of " + std::to_string(channels));
      const int64_t rows = 40, window = 600 / channels + 1, count = rows;
      const int64_t depth = window * channels, outputs = 20, n = count + window - 1;
      GraphBuilder g;
      auto x = g.argument({"n", Dim(channels)});
      auto filter = g.weight({Dim(depth), Dim(outputs)});
      auto w = g.node("windows", {x},
                      {{"axis", int64_t{0}},
                       {"size", window},
                       {"stride", int64_t{1}},
                       {"dilation", int64_t{1}}});
      auto r = g.node("reshape", {w}, {{"shape", Shape{g.graph.type(w).shape[0], Dim(depth)}}});
      g.output(g.node("matmul", {r, filter}));
      auto executable = load(g.graph, target.name, {}, Precision::bf16);
      ASSERT_TRUE(executable);
      EXPECT_EQ(executable->artifact().kernels.size(), 1u);
      auto values = randomFloats(n * channels, 1), weights = randomFloats(depth * outputs, 2);
      for (auto *list : {&values, &weights})
        for (float &value : *list) // bfloat16 has the upper half
          value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xffff0000u);
      auto got = contents<float>(run(*executable, {tensor<float>({n, channels}, values),
                                                   tensor<float>({depth, outputs}, weights)})[0]);
      for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < outputs; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < depth; ++k)
            sum += double(values[i * channels + k]) * weights[k * outputs + j];
          ASSERT_NEAR(got[i * outputs + j], sum, 1e-4 * (10 + std::abs(sum))) << i << ", " << j;
        }
    }
}

} // namespace
} // namespace kiln::test
