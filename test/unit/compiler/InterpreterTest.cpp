#include "ir/Interpreter.h"

#include "ir/Import.h"
#include "ir/KilnDialect.h"
#include "ir/ShapeRules.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace kiln;
using namespace kiln::ir;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// A graph under construction; types come from the rules.
struct Builder {
  Graph graph;
  ValueId input(TensorType type) {
    std::string name = "argument " + std::to_string(graph.inputs.size());
    graph.inputs.push_back({Input::Role::argument, name, std::move(type)});
    return static_cast<ValueId>(graph.inputs.size() - 1);
  }
  /// None if the rules refuse.
  std::optional<ValueId> tryOp(std::string op, std::vector<ValueId> operands,
                               Attributes attributes = {}) {
    std::vector<TensorType> types;
    for (ValueId operand : operands)
      types.push_back(graph.type(operand));
    Inferred inferred = inferType(op, types, attributes);
    if (!inferred)
      return std::nullopt;
    return graph.addNode({std::move(op), std::move(operands), std::move(attributes),
                          std::move(inferred.type), ""});
  }
  ValueId op(std::string name, std::vector<ValueId> operands, Attributes attributes = {}) {
    return tryOp(std::move(name), std::move(operands), std::move(attributes)).value();
  }
};

TensorType f32(Shape shape) { return TensorType(DType::float32, std::move(shape), CPU()); }

TEST(InterpreterTest, RunsAGraphWithASymbolicBatch) {
  Builder b;
  ValueId x = b.input(f32({"batch", 2})), w = b.input(f32({3, 2})), bias = b.input(f32({3}));
  ValueId wt = b.op("permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}});
  b.graph.outputs = {b.op("add", {b.op("matmul", {x, wt}), bias})};
  for (int64_t batch : {0, 1, 4}) {
    std::vector<float> rows;
    for (int64_t i = 0; i < batch; ++i)
      rows.insert(rows.end(), {float(i), 1});
    std::vector<HostTensor> arguments{
        makeHostTensor(rows, {batch, 2}),
        makeHostTensor(std::vector<float>{1, 0, 0, 1, 2, 3}, {3, 2}),
        makeHostTensor(std::vector<float>{100, 200, 300}, {3})};
    Evaluation evaluation = interpretGraph(b.graph, arguments);
    ASSERT_TRUE(evaluation) << evaluation.message;
    ASSERT_EQ(evaluation.results[0].type, f32({batch, 3}));
    std::vector<float> values = valuesOf<float>(evaluation.results[0]);
    for (int64_t i = 0; i < batch; ++i)
      EXPECT_THAT(std::vector<float>(values.begin() + 3 * i, values.begin() + 3 * i + 3),
                  ElementsAre(100 + i, 201, 303 + 2 * i));
  }
}

struct BindingTest : testing::Test {
  Evaluation run(std::vector<HostTensor> arguments) {
    Builder b;
    ValueId x = b.input(f32({"n"})), y = b.input(f32({Dim("n") * 2}));
    b.input(f32({"n", "m"}));
    ValueId z = b.op("concat", {x, x}, {{"axis", int64_t{0}}});
    b.graph.outputs = {b.op("add", {z, y})};
    return interpretGraph(b.graph, arguments);
  }
  static HostTensor zeros(DType dtype, Shape shape) {
    HostTensor tensor{TensorType(dtype, shape, CPU()), {}};
    tensor.bytes.resize(static_cast<size_t>(tensor.type.sizeBytes().value()));
    return tensor;
  }
  static HostTensor zeros(Shape shape) { return zeros(DType::float32, std::move(shape)); }
};

TEST_F(BindingTest, AcceptsWhatFits) {
  EXPECT_TRUE(run({zeros({2}), zeros({4}), zeros({2, 7})}));
}
TEST_F(BindingTest, EqualNamesAreEqualSizes) {
  Evaluation evaluation = run({zeros({10}), zeros({20}), zeros({12, 1})});
  EXPECT_EQ(evaluation.error, ErrorKind::value);
  EXPECT_EQ(evaluation.message, "argument 2: symbolic dimension \"n\": expected 10 (from argument "
                                "0, dim 0), got 12");
}
TEST_F(BindingTest, ExpressionsAreChecked) {
  Evaluation evaluation = run({zeros({2}), zeros({5}), zeros({2, 1})});
  EXPECT_EQ(evaluation.error, ErrorKind::value);
  EXPECT_EQ(evaluation.message, "argument 1: dim 0: expected 4, got 5");
}
TEST_F(BindingTest, TypesAreChecked) {
  EXPECT_THAT(run({zeros(DType::int32, {2}), zeros({4}), zeros({2, 1})}).message,
              HasSubstr("argument 0: expected [n] f32, got [2] i32"));
  EXPECT_THAT(run({zeros({2, 1}), zeros({4}), zeros({2, 1})}).message,
              HasSubstr("argument 0: expected [n] f32, got [2, 1] f32"));
  EXPECT_THAT(run({zeros({2})}).message, HasSubstr("expected 3 arguments, got 1"));
}

TEST(InterpreterTest, NamesABadIndex) {
  Builder b;
  ValueId table = b.input(f32({"n", 2}));
  ValueId indices = b.input(TensorType(DType::int64, {"k"}, CPU()));
  b.graph.outputs = {b.op("gather", {table, indices}, {{"axis", int64_t{0}}})};
  std::vector<HostTensor> arguments{makeHostTensor(std::vector<float>{1, 2, 3, 4}, {2, 2}),
                                    makeHostTensor(std::vector<int64_t>{0, 1, 2}, {3})};
  Evaluation evaluation = interpretGraph(b.graph, arguments);
  EXPECT_EQ(evaluation.error, ErrorKind::index);
  EXPECT_EQ(evaluation.message, "[gather] index 2 at position 2 is out of range [0, 2)");
}

TEST(InterpreterTest, RefusesAGraphThatDoesNotVerify) {
  Builder b;
  ValueId x = b.input(f32({2}));
  b.graph.outputs = {b.graph.addNode({"relu", {x}, {}, f32({3}), ""})};
  std::vector<HostTensor> arguments{makeHostTensor(std::vector<float>{1, 2}, {2})};
  Evaluation evaluation = interpretGraph(b.graph, arguments);
  EXPECT_EQ(evaluation.error, ErrorKind::compile);
  EXPECT_THAT(evaluation.message, HasSubstr("has result type"));
}

/// Draws graphs of what folds and canonicalisation know, with the values that break careless ones.
class RandomGraph {
public:
  explicit RandomGraph(unsigned seed) : random(seed) {}

  Graph draw() {
    values = {b.input(f32({"n", 2})), b.input(f32({2})),
              b.input(TensorType(DType::int8, {"n", 2}, CPU())),
              b.input(TensorType(DType::boolean, {2}, CPU()))};
    for (int i = 0; i < 25; ++i)
      step();
    b.graph.outputs = values;
    return b.graph;
  }

private:
  size_t below(size_t bound) { return random() % bound; }
  ValueId any() { return values[below(values.size())]; }
  void add(std::optional<ValueId> value) {
    if (value)
      values.push_back(*value);
  }
  template <class T> const T &oneOf(const std::vector<T> &choices) {
    return choices[below(choices.size())];
  }

  void step() {
    static const std::vector<std::string> binary{"add", "sub", "mul", "div", "maximum", "eq", "lt"},
        unary{"neg", "abs", "relu", "not", "is_nan", "sqrt"};
    static const std::vector<DType> dtypes{DType::int8,     DType::uint8,   DType::int32,
                                           DType::bfloat16, DType::float16, DType::float32,
                                           DType::float64,  DType::boolean};
    static const std::vector<Shape> shapes{Shape{"n", 2}, Shape{2, "n"}, Shape{Dim("n") * 2},
                                           Shape{2},      Shape{1, 2},   Shape{3, "n", 2},
                                           Shape{}};
    ValueId x = any();
    const TensorType &type = b.graph.type(x);
    switch (below(9)) {
    case 0:
    case 1:
      return add(b.tryOp(oneOf(binary), {x, any()}));
    case 2:
      return add(b.tryOp(oneOf(unary), {x}));
    case 3:
      return add(b.tryOp("cast", {x}, {{"dtype", oneOf(dtypes)}}));
    case 4:
      return add(b.tryOp("reshape", {x}, {{"shape", oneOf(shapes)}}));
    case 5:
      return add(b.tryOp("broadcast_to", {x}, {{"shape", oneOf(shapes)}}));
    case 6: {
      std::vector<int64_t> axes(static_cast<size_t>(type.rank()));
      std::iota(axes.begin(), axes.end(), 0);
      std::shuffle(axes.begin(), axes.end(), random);
      return add(b.tryOp("permute", {x}, {{"axes", axes}}));
    }
    case 7:
      return add(b.tryOp("select", {any(), x, any()}));
    default:
      return constant();
    }
  }

  void constant() {
    static const std::vector<float> special{0.0f, -0.0f, 1.0f, -1.0f, 0.5f,
                                            std::numeric_limits<float>::infinity(),
                                            std::numeric_limits<float>::quiet_NaN()};
    std::vector<float> contents(below(2) ? 1 : 2, oneOf(special));
    if (below(2))
      contents.back() = oneOf(special);
    Shape shape = contents.size() == 1 && below(2) ? Shape{} : Shape{contents.size()};
    auto data = std::make_shared<const DenseData>(makeHostTensor(contents, shape));
    ValueId value = b.op("constant", {}, {{"value", data}});
    values.push_back(value);
    add(b.tryOp("cast", {value}, {{"dtype", below(2) ? DType::int8 : DType::bfloat16}}));
  }

  std::mt19937 random;
  Builder b;
  std::vector<ValueId> values;
};

/// Equal bits, all NaNs taken as one.
void expectSame(const HostTensor &a, const HostTensor &b) {
  ASSERT_EQ(a.type, b.type);
  if (a.type.dtype == DType::float32) {
    EXPECT_THAT(valuesOf<float>(a), testing::Pointwise(testing::NanSensitiveFloatEq(),
                                                       valuesOf<float>(b)));
    std::vector<float> x = valuesOf<float>(a), y = valuesOf<float>(b);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(std::isnan(x[i]) || std::signbit(x[i]) == std::signbit(y[i]));
  } else if (!isFloat(a.type.dtype)) {
    EXPECT_EQ(a.bytes, b.bytes);
  }
}

TEST(InterpreterTest, CanonicalisationChangesNoResult) {
  constexpr unsigned graphs = 1000; // half a second
  std::vector<HostTensor> arguments{
      makeHostTensor(std::vector<float>{0.0f, -0.0f, 1.5f, -2.0f,
                                        std::numeric_limits<float>::infinity(),
                                        std::numeric_limits<float>::quiet_NaN()},
                     {3, 2}),
      makeHostTensor(std::vector<float>{-0.0f, 3.0f}, {2}),
      makeHostTensor(std::vector<int8_t>{-128, -1, 0, 1, 100, 127}, {3, 2}),
      {TensorType(DType::boolean, {2}, CPU()), {std::byte{1}, std::byte{0}}}};
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<KilnDialect, mlir::func::FuncDialect>();
  size_t before = 0, after = 0;
  auto countOps = [](mlir::ModuleOp module) {
    size_t count = 0;
    module->walk([&](mlir::Operation *) { ++count; });
    return count;
  };
  for (unsigned seed = 0; seed < graphs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto module = importGraph(RandomGraph(seed).draw(), context);
    ASSERT_TRUE(mlir::succeeded(mlir::verify(*module)));
    Evaluation expected = interpret(*module, arguments);
    ASSERT_TRUE(expected) << expected.message;
    before += countOps(*module);
    mlir::PassManager passes(&context);
    passes.addPass(mlir::createCanonicalizerPass());
    ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
    after += countOps(*module);
    Evaluation actual = interpret(*module, arguments);
    ASSERT_TRUE(actual) << actual.message;
    ASSERT_EQ(actual.results.size(), expected.results.size());
    for (size_t i = 0; i < expected.results.size(); ++i)
      expectSame(actual.results[i], expected.results[i]);
  }
  EXPECT_LT(after, before * 9 / 10); // or nothing was tested
}

} // namespace
