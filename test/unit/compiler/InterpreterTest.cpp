#include "ir/Interpreter.h"

#include "ir/Import.h"
#include "ir/KilnDialect.h"
#include "test/unit/compiler/DrawnGraphs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::ir;
using kiln::test::expectSame;
using kiln::test::RuleBuilder;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

TensorType f32(Shape shape) { return TensorType(DType::float32, std::move(shape), CPU()); }

TEST(InterpreterTest, RunsAGraphWithASymbolicBatch) {
  RuleBuilder b;
  ValueId x = b.input(f32({"batch", 2})), w = b.input(f32({3, 2})), bias = b.input(f32({3}));
  ValueId wt = b.op("permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}});
  b.graph.outputs = {b.op("add", {b.op("matmul", {x, wt}), bias})};
  for (int64_t batch : {0, 1, 4}) {
    std::vector<float> rows;
    for (int64_t i = 0; i < batch; ++i)
      rows.insert(rows.end(), {float(i), 1});
    std::vector<HostTensor> arguments{makeHostTensor(rows, {batch, 2}),
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
    RuleBuilder b;
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

TEST_F(BindingTest, AcceptsWhatFits) { EXPECT_TRUE(run({zeros({2}), zeros({4}), zeros({2, 7})})); }
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
  RuleBuilder b;
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
  RuleBuilder b;
  ValueId x = b.input(f32({2}));
  b.graph.outputs = {b.graph.addNode({"relu", {x}, {}, f32({3}), ""})};
  std::vector<HostTensor> arguments{makeHostTensor(std::vector<float>{1, 2}, {2})};
  Evaluation evaluation = interpretGraph(b.graph, arguments);
  EXPECT_EQ(evaluation.error, ErrorKind::compile);
  EXPECT_THAT(evaluation.message, HasSubstr("has result type"));
}

TEST(InterpreterTest, CanonicalisationChangesNoResult) {
  constexpr unsigned graphs = 1000; // half a second
  std::vector<HostTensor> arguments = test::exactArguments(3);
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
    auto module = importGraph(test::drawExactGraph(seed), context);
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
