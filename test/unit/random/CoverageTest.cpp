// What the programs of the normal run cover: fails when an operation is added and forgotten here.
#include "test/unit/random/Program.h"

#include "ir/ShapeRules.h"
#include "test/unit/random/Element.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

namespace kiln::test {
namespace {

constexpr unsigned numPrograms = 300; // of the normal run

/// Made by passes only, from operations that are drawn.
const std::set<std::string_view> &notDrawn() {
  static const std::set<std::string_view> ops{"linear", "all_reduce", "all_gather", "local_slice"};
  return ops;
}

TEST(RandomGraphCoverage, EveryOperationIsDrawnOften) {
  std::map<std::string_view, int> counts;
  for (std::string_view op : ir::allOps())
    if (!notDrawn().contains(op))
      counts[op] = 0;
  for (unsigned seed = 0; seed < numPrograms; ++seed)
    for (const ir::Node &node : drawProgram(seed).graph.nodes) {
      auto found = counts.find(node.op);
      ASSERT_NE(found, counts.end()) << node.op;
      ++found->second;
    }
  for (auto &[op, count] : counts)
    EXPECT_GE(count, 2) << op << " is drawn " << count
                        << " times: test/unit/random/Draw*.cpp should draw it";
}

TEST(RandomGraphCoverage, DTypesRanksSizesAndValues) {
  std::map<DType, int> dtypes;
  std::map<int64_t, int> ranks;
  std::set<std::string> kinds;
  int weights = 0, severalOutputs = 0, shared = 0;
  for (unsigned seed = 0; seed < numPrograms; ++seed) {
    Program program = drawProgram(seed);
    const ir::Graph &graph = program.graph;
    severalOutputs += graph.outputs.size() > 1;
    for (const ir::Input &input : graph.inputs)
      weights += input.role == ir::Input::Role::weight;
    std::vector<int> uses(graph.inputs.size() + graph.nodes.size());
    for (const ir::Node &node : graph.nodes) {
      ++dtypes[node.type.dtype];
      ++ranks[node.type.rank()];
      for (ir::ValueId operand : node.operands)
        shared += ++uses[operand] == 2 && operand >= graph.inputs.size();
      for (const Dim &dim : node.type.shape)
        kinds.insert(dim.isStatic() ? "number" : dim.isName() ? "name" : "expression");
    }
    EXPECT_GE(program.cases.size(), 2u);
    for (const Case &one : program.cases)
      for (std::size_t i = 0; i < one.inputs.size(); ++i) {
        const ir::DenseData &tensor = one.inputs[i];
        ASSERT_EQ(tensor.type.shape.sizes(), graph.inputs[i].type.shape.evaluate(one.bindings));
        for (int64_t size : tensor.type.shape.sizes())
          kinds.insert(size == 0 ? "size 0" : size == 1 ? "size 1" : "size");
        for (std::size_t j = 0; isFloat(tensor.type.dtype) && j < numElements(tensor); ++j) {
          double value = loadElement(tensor.type.dtype,
                                     tensor.bytes.data() + j * sizeBytes(tensor.type.dtype), 0);
          kinds.insert(std::isnan(value)                       ? "NaN"
                       : std::isinf(value)                     ? "infinity"
                       : value == 0 && std::signbit(value)     ? "-0"
                       : value != 0 && std::abs(value) < 1e-38 ? "subnormal"
                       : std::abs(value) > 1e38                ? "largest"
                                                               : "finite");
        }
      }
  }
  for (int dtype = 0; dtype <= static_cast<int>(DType::float64); ++dtype)
    EXPECT_GE(dtypes[static_cast<DType>(dtype)], 10) << static_cast<DType>(dtype);
  for (int64_t rank = 0; rank <= 5; ++rank)
    EXPECT_GE(ranks[rank], 10) << "rank " << rank;
  EXPECT_THAT(kinds, testing::IsSupersetOf({"number", "name", "expression", "size 0", "size 1",
                                            "NaN", "infinity", "-0", "subnormal", "largest"}));
  EXPECT_GE(weights, 50);
  EXPECT_GE(severalOutputs, 50);
  EXPECT_GE(shared, 50);
}

TEST(RandomGraphCoverage, TheSameSeedGivesTheSameProgram) {
  for (unsigned seed : {0u, 7u, 123u}) {
    Program a = drawProgram(seed), b = drawProgram(seed);
    EXPECT_EQ(ir::canonicalText(a.graph), ir::canonicalText(b.graph));
    ASSERT_EQ(a.cases.size(), b.cases.size());
    for (std::size_t i = 0; i < a.cases.size(); ++i)
      EXPECT_EQ(a.cases[i].inputs, b.cases[i].inputs);
  }
  EXPECT_NE(ir::canonicalText(drawProgram(1).graph), ir::canonicalText(drawProgram(2).graph));
}

} // namespace
} // namespace kiln::test
