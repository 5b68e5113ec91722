// The shrinker, on faults that the test plants itself between the program and the compiler.
#include "test/unit/random/Shrink.h"

#include "test/unit/random/Element.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kiln::test {
namespace {

bool uses(const ir::Graph &graph, const std::string &op) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const ir::Node &node) { return node.op == op; });
}

/// A compiler that takes one operation for another.
Engine mistaking(const std::string &op, const std::string &other) {
  Engine right = compiler();
  return [=](const ir::Graph &graph, const Case &one) {
    ir::Graph wrong = graph;
    for (ir::Node &node : wrong.nodes)
      if (node.op == op)
        node.op = other;
    return right(wrong, one);
  };
}

/// The first program that has the operation and for which the check fails.
std::optional<Program> findFailing(const std::string &op, const Check &check) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    Program program = drawProgram(seed);
    if (uses(program.graph, op) && program.graph.nodes.size() > 4 && check(program))
      return program;
  }
  return std::nullopt;
}

int64_t elementsOf(const Program &program) {
  int64_t count = 0;
  for (const ir::DenseData &input : program.cases[0].inputs)
    count += static_cast<int64_t>(numElements(input));
  return count;
}

TEST(Shrink, AWrongElementwiseKernelIsLeftAlone) {
  Check check = compareWith(mistaking("tanh", "sigmoid"));
  auto failing = findFailing("tanh", check);
  ASSERT_TRUE(failing);
  Program small = shrink(*failing, check);
  ASSERT_EQ(small.graph.nodes.size(), 1u) << ir::canonicalText(small.graph);
  EXPECT_EQ(small.graph.nodes[0].op, "tanh");
  EXPECT_EQ(small.graph.outputs.size(), 1u);
  EXPECT_EQ(small.cases.size(), 1u);
  EXPECT_EQ(elementsOf(small), 1);
  EXPECT_TRUE(check(small)) << "what is left has to fail";
}

TEST(Shrink, AWrongReductionIsLeftAlone) {
  Check check = compareWith(mistaking("sum", "prod"));
  auto failing = findFailing("sum", check);
  ASSERT_TRUE(failing);
  Program small = shrink(*failing, check);
  ASSERT_EQ(small.graph.nodes.size(), 1u) << ir::canonicalText(small.graph);
  EXPECT_EQ(small.graph.nodes[0].op, "sum");
  EXPECT_LE(elementsOf(small), 4);
}

TEST(Shrink, AWrongProductIsLeftAlone) {
  // Off by one unit in each element: a comparison that is blind to it would not fail.
  Engine right = compiler();
  Check check = compareWith([=](const ir::Graph &graph, const Case &one) {
    auto results = right(graph, one);
    for (std::size_t i = 0; i < results.size(); ++i)
      if (ir::ValueId output = graph.outputs[i]; output >= graph.inputs.size())
        if (graph.nodes[output - graph.inputs.size()].op == "matmul")
          for (std::size_t j = 0; j < numElements(results[i]); ++j)
            storeElement(results[i], j,
                         loadElement(results[i].type.dtype,
                                     results[i].bytes.data() + j * sizeBytes(results[i].type.dtype),
                                     0) +
                             1);
    return results;
  });
  auto failing = findFailing("matmul", check);
  ASSERT_TRUE(failing);
  Program small = shrink(*failing, check);
  ASSERT_EQ(small.graph.nodes.size(), 1u) << ir::canonicalText(small.graph);
  EXPECT_EQ(small.graph.nodes[0].op, "matmul");
}

TEST(Shrink, WhatNeedsTwoOperationsKeepsThem) {
  // A fusion that goes wrong: only where an exp is below a neg.
  Engine right = compiler();
  Check check = compareWith([=](const ir::Graph &graph, const Case &one) {
    ir::Graph wrong = graph;
    for (ir::Node &node : wrong.nodes)
      if (node.op == "neg" && node.operands[0] >= graph.inputs.size() &&
          graph.nodes[node.operands[0] - graph.inputs.size()].op == "exp")
        node.op = "abs";
    return right(wrong, one);
  });
  Program program;
  TensorType type(DType::float32, Shape{"a", 3}, CPU());
  program.graph.inputs = {{ir::Input::Role::argument, "x", type}};
  auto add = [&](const char *op, std::vector<ir::ValueId> operands) {
    return program.graph.addNode({op, std::move(operands), {}, type, "test.cpp:1"});
  };
  ir::ValueId sum = add("add", {0, 0}), power = add("exp", {sum}), negative = add("neg", {power});
  add("mul", {negative, sum});
  program.graph.outputs = {4};
  Case one{{{"a", 5}}, {{TensorType(DType::float32, Shape{5, 3}, CPU()), {}}}};
  one.inputs[0].bytes.resize(15 * sizeof(float));
  for (std::size_t i = 0; i < 15; ++i)
    storeElement(one.inputs[0], i, static_cast<double>(i) / 8 + 0.1);
  program.cases = {one};
  ASSERT_TRUE(check(program));
  Program small = shrink(program, check);
  ASSERT_EQ(small.graph.nodes.size(), 2u) << ir::canonicalText(small.graph);
  EXPECT_EQ(small.graph.nodes[0].op, "exp");
  EXPECT_EQ(small.graph.nodes[1].op, "neg");
  EXPECT_EQ(elementsOf(small), 1);
}

TEST(Shrink, ReportsAreReadByKilnOpt) { // test/tools/opt_test.py reads this one
  Check check = compareWith(mistaking("tanh", "sigmoid"));
  auto failing = findFailing("tanh", check);
  ASSERT_TRUE(failing);
  Program small = shrink(*failing, check);
  std::string path = writeReport(small, "planted", "a fault that was planted", "the test itself");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_THAT(text.str(), testing::AllOf(testing::HasSubstr("// a fault that was planted\n"),
                                         testing::HasSubstr("--kiln-interpret"),
                                         testing::HasSubstr("kiln.tanh"),
                                         testing::HasSubstr("kiln.input = dense<")));
}

} // namespace
} // namespace kiln::test
