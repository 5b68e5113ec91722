// Random programs with split weights: what kiln-partition makes of them means the same.
#include "DrawnGraphs.h"
#include "OracleTesting.h"
#include "RankRunner.h"

#include "ir/Import.h"
#include "ir/KilnDialect.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

using namespace kiln;
using namespace kiln::test;

namespace {

/// Weights of every rank, split along random axes, and what can be made of them. Numbers stay near
/// 1 and no result jumps where an operand changes in its last bits.
class SplitGraph {
public:
  explicit SplitGraph(unsigned seed) : draw(seed) {}

  ir::Graph build() {
    for (Shape shape : {Shape{24}, Shape{24, 4}, Shape{4, 24}, Shape{5, 4}, Shape{2, 24, 4},
                        Shape{1, 24}, Shape{24, 24}})
      weight(shape, DType::float32);
    weight(Shape{7, 4}, DType::boolean);
    weight(Shape{3}, DType::int64);
    values.push_back(b.input({DType::float32, {"n", 24}, CPU()}));
    values.push_back(b.input({DType::int64, {"n"}, CPU()}));
    for (int i = 0; i < 22; ++i)
      step();
    // What nothing uses, and some of the rest.
    std::vector<bool> isUsed(b.graph.inputs.size() + b.graph.nodes.size());
    for (const ir::Node &node : b.graph.nodes)
      for (ir::ValueId operand : node.operands)
        isUsed[operand] = true;
    for (ir::ValueId value : values)
      if ((!isUsed[value] && value >= b.graph.inputs.size()) || draw.below(12) == 0)
        b.graph.outputs.push_back(value);
    return b.graph;
  }

private:
  void weight(const Shape &shape, DType dtype) {
    ir::ValueId id = b.input({dtype, shape, CPU()}, ir::Input::Role::weight);
    if (draw.below(3))
      b.graph.inputs[id].shardAxis = static_cast<int64_t>(draw.below(shape.rank()));
    values.push_back(id);
  }
  ir::ValueId any() { return draw.oneOf(values); }
  void add(std::optional<ir::ValueId> value) {
    if (value && b.graph.type(*value).rank() <= 5)
      values.push_back(*value);
  }
  /// A tensor of float32.
  ir::ValueId anyFloat() {
    while (true)
      if (ir::ValueId value = any(); b.graph.type(value).dtype == DType::float32)
        return value;
  }
  /// Of integers: 0 and 1 alone.
  ir::ValueId indices() {
    std::vector<ir::ValueId> found;
    for (ir::ValueId value : values)
      if (b.graph.type(value).dtype == DType::int64)
        found.push_back(value);
    return draw.oneOf(found);
  }

  void step() {
    ir::ValueId x = anyFloat();
    const TensorType type = b.graph.type(x);
    int64_t rank = type.rank();
    auto axis = static_cast<int64_t>(draw.below(static_cast<std::size_t>(rank) + 1));
    switch (draw.below(14)) {
    case 0:
    case 1:
      return add(
          b.tryOp(draw.oneOf(std::vector<std::string>{"add", "sub", "maximum"}), {x, anyFloat()}));
    case 2:
      return add(
          b.tryOp(draw.oneOf(std::vector<std::string>{"tanh", "neg", "sigmoid", "relu"}), {x}));
    case 3:
    case 4:
    case 5:
      return matmul(x, anyFloat());
    case 6: {
      ir::ValueId table = draw.below(4) ? x : any();
      const Shape &shape = b.graph.type(table).shape;
      if (axis < shape.rank() && !(shape[axis] == Dim(1))) // indices are 0 and 1
        add(b.tryOp("gather", {table, indices()}, {{"axis", axis}}));
      return;
    }
    case 7:
      return add(b.tryOp(draw.oneOf(std::vector<std::string>{"mean", "max", "softmax"}), {x},
                         {{"axis", axis}}));
    case 8:
      return add(b.tryOp("concat", {x, anyFloat()}, {{"axis", axis}}));
    case 9:
      return add(b.tryOp("layer_norm", {x}, {{"epsilon", 1.0}}));
    case 10:
      return add(b.tryOp("attention", {x, anyFloat(), anyFloat()}, {{"scale", 0.5}}));
    default:
      return move(x, type);
    }
  }

  void matmul(ir::ValueId x, ir::ValueId y) {
    if (draw.below(2) && b.graph.type(y).rank() == 2)
      y = b.op("permute", {y}, {{"axes", std::vector<int64_t>{1, 0}}});
    if (auto product = b.tryOp("matmul", {x, y}))
      add(b.op("tanh", {*product}));
  }

  void move(ir::ValueId x, const TensorType &type) {
    static const std::vector<Shape> shapes = {
        Shape{24},         Shape{4, 6},       Shape{24, 4},       Shape{2, 12, 4},
        Shape{96},         Shape{4, 24},      Shape{8, 3, 4},     Shape{1, 24, 4},
        Shape{2, 2, 24},   Shape{3, 8, 4},    Shape{"n", 24},     Shape{"n", 8, 3},
        Shape{1, "n", 24}, Shape{"n", 2, 12}, Shape{2, 24, 4, 1}, Shape{2, 3, 8, 4},
        Shape{2, 4, 24},   Shape{4, 24, 2},   Shape{5, 2, 2},     Shape{1, 5, 4}};
    auto rank = static_cast<std::size_t>(type.rank());
    switch (draw.below(5)) {
    case 0:
    case 1:
      for (int i = 0; i < 8; ++i)
        if (auto value = b.tryOp("reshape", {x}, {{"shape", draw.oneOf(shapes)}}))
          return add(value);
      return;
    case 2:
      return add(b.tryOp("broadcast_to", {x}, {{"shape", draw.oneOf(shapes)}}));
    case 3: {
      std::vector<int64_t> axes(rank);
      std::iota(axes.begin(), axes.end(), 0);
      std::shuffle(axes.begin(), axes.end(), draw.generator);
      return add(b.tryOp("permute", {x}, {{"axes", axes}}));
    }
    default: {
      if (rank == 0)
        return;
      std::vector<Dim> starts(rank, 0), stops = type.shape.vec();
      std::vector<int64_t> steps(rank, 1);
      std::size_t cut = draw.below(rank);
      if (!stops[cut].isStatic() || stops[cut].value() < 2)
        return;
      (draw.below(2) ? starts[cut] : steps[cut]) = 1 + static_cast<int64_t>(draw.below(2));
      return add(b.tryOp("slice", {x},
                         {{"starts", Shape(starts)}, {"stops", Shape(stops)}, {"steps", steps}}));
    }
    }
  }

  Draw draw;
  RuleBuilder b;
  std::vector<ir::ValueId> values;
};

std::vector<ir::HostTensor> argumentsOf(const ir::Graph &graph, int64_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<ir::HostTensor> arguments;
  for (const ir::Input &input : graph.inputs) {
    std::vector<int64_t> sizes = input.type.shape.evaluate({{"n", n}});
    ir::Array array(input.type.dtype, sizes);
    for (int64_t i = 0; i < array.numElements(); ++i) {
      auto number = static_cast<int64_t>(generator() % 129) - 64;
      array.set(i, isFloat(array.dtype) ? ir::real(static_cast<double>(number) / 64)
                                        : ir::integer(number & 1));
    }
    arguments.push_back(array.toHost());
  }
  return arguments;
}

void expectClose(const ir::HostTensor &got, const ir::HostTensor &want) {
  ASSERT_EQ(got.type.str(), want.type.str());
  ir::Array x(got), y(want);
  for (int64_t i = 0; i < x.numElements(); ++i)
    if (isFloat(x.dtype))
      ASSERT_NEAR(x.realAt(i), y.realAt(i), 1e-4) << "element " << i;
    else
      ASSERT_EQ(x.integerAt(i), y.integerAt(i)) << "element " << i;
}

TEST(PartitionDrawn, MeansTheSame) {
  int numRefused = 0, numSplit = 0;
  for (unsigned seed = 0; seed < 400; ++seed)
    for (int64_t ranks : {2, 3, 8}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", ranks " + std::to_string(ranks));
      ir::Graph graph = SplitGraph(seed).build();
      mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
      context.loadDialect<ir::KilnDialect, mlir::func::FuncDialect>();
      std::string messages;
      mlir::ScopedDiagnosticHandler handler(
          &context, [&](mlir::Diagnostic &diagnostic) { messages += diagnostic.str() + "\n"; });
      auto module = ir::importGraph(graph, context);
      auto arguments = argumentsOf(graph, 3, seed);
      ir::Evaluation expected = ir::interpret(*module, arguments);
      ASSERT_TRUE(expected) << expected.message;
      (*module)->setAttr(ir::ranksAttrName, mlir::Builder(&context).getI64IntegerAttr(ranks));
      mlir::PassManager passes(&context);
      passes.enableVerifier();
      passes.addPass(passes::createPartitionPass());
      if (failed(passes.run(*module))) {
        ASSERT_TRUE(messages.starts_with("[partition] ")) << messages;
        ++numRefused;
        continue;
      }
      module->walk([&](mlir::Operation *op) { numSplit += mlir::isa<ir::AllReduceOp>(op); });
      ir::Evaluation got = ir::interpret(*module, arguments);
      ASSERT_TRUE(got) << got.message;
      EXPECT_TRUE(got.byRank.empty()); // all ranks have the same
      for (std::size_t i = 0; i < expected.results.size(); ++i)
        expectClose(got.results[i], expected.results[i]);
      if (HasFatalFailure())
        return;
    }
  EXPECT_LT(numRefused, 150);
  EXPECT_GT(numSplit, 400);
}

TEST(PartitionDrawn, MachineCodeGivesTheSame) {
  for (unsigned seed = 1000; seed < 1020; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ir::Graph graph = SplitGraph(seed).build();
    auto arguments = argumentsOf(graph, 5, seed);
    ir::Evaluation expected = ir::interpretGraph(graph, arguments);
    ASSERT_TRUE(expected) << expected.message;
    runtime::CompileRequest request;
    request.ranks = 2;
    runtime::CompileResult compiled;
    kilnCompile(graph, request, compiled);
    ASSERT_TRUE(compiled.error == ErrorKind::none || compiled.message.starts_with("[partition] "))
        << compiled.message;
    if (compiled.error != ErrorKind::none)
      continue;
    RankResults results = runRanks(compiled.artifact, arguments, {{"n", 5}});
    for (const auto &outputs : results.outputs)
      for (std::size_t i = 0; i < outputs.size(); ++i)
        expectClose(outputs[i], expected.results[i]);
    if (HasFatalFailure())
      return;
  }
}

} // namespace
