// Random programs on the accelerator against the interpreter of graphs. One seed:
// KILN_RANDOM_SEED; more: KILN_RANDOM_GRAPHS.
#include "standin/StandIn.h"
#include "test/unit/random/Replay.h"
#include "test/unit/random/Shrink.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <iostream>

namespace kiln::test {
namespace {

constexpr unsigned perTest = 8;

unsigned fromEnvironment(const char *name, unsigned otherwise) {
  const char *wish = std::getenv(name);
  return wish ? static_cast<unsigned>(std::strtoul(wish, nullptr, 10)) : otherwise;
}

/// Products of float32 are made of parts of 11 bits; of a subnormal number the first part may be 0,
/// and with an infinity that is NaN. Such numbers are left out.
void dropSubnormals(Program &program) {
  for (Case &one : program.cases)
    for (ir::DenseData &input : one.inputs)
      if (input.type.dtype == DType::float32)
        for (std::size_t at = 0; at + sizeof(float) <= input.bytes.size(); at += sizeof(float)) {
          float value = 0;
          std::memcpy(&value, input.bytes.data() + at, sizeof(value));
          if (std::fpclassify(value) == FP_SUBNORMAL)
            std::memset(input.bytes.data() + at, 0, sizeof(value));
        }
}

/// The error of such a product in roundings of float32 (2^-24): each factor loses less than 2^-21
/// of itself, and the product of the second parts, less than 2^-20 of the whole, is left out.
constexpr double roundingsOfSplitProduct = 32;

/// The interpreter's results, with bounds for products that are made of parts.
Expected interpretForAccelerator(const ir::Graph &graph, const Case &one) {
  Expected expected = interpret(graph, one);
  bool isSplit = false;
  for (const ir::Node &node : graph.nodes)
    isSplit |= (node.op == "matmul" || node.op == "attention") && node.type.dtype == DType::float32;
  for (std::optional<ir::DenseData> &bounds : expected.bounds)
    for (std::size_t at = 0; isSplit && bounds && at < bounds->bytes.size(); at += sizeof(double)) {
      double bound = 0;
      std::memcpy(&bound, bounds->bytes.data() + at, sizeof(bound));
      bound *= roundingsOfSplitProduct;
      std::memcpy(bounds->bytes.data() + at, &bound, sizeof(bound));
    }
  return expected;
}

/// Whether the compiler says of an operation that there is nothing for it on accelerators.
bool isRefused(const Program &program) {
  try {
    compileReplay(program.graph, program.cases[0], {}, Accelerator());
  } catch (const CompileError &error) {
    return std::string_view(error.what()).find("has no lowering for") != std::string_view::npos;
  } catch (const Error &) { // checkOnAccelerator says what
  }
  return false;
}

/// Threads of a block run first to last in one case and last to first in the next.
std::optional<std::string> checkOnAccelerator(const Program &program) {
  std::vector<Expected> expected;
  for (const Case &one : program.cases)
    expected.push_back(interpretForAccelerator(program.graph, one));
  std::optional<std::string> difference;
  std::size_t which = 0;
  try {
    CompiledGraph compiled = compileReplay(program.graph, program.cases[0], {}, Accelerator());
    for (; which < program.cases.size() && !difference; ++which) {
      standin::machine().isReversed = which % 2 == 1;
      difference = findDifference(
          expected[which], runReplay(compiled, program.graph, program.cases[which], Accelerator()));
      if (auto violations = standin::violations(); !difference && !violations.empty())
        difference = violations[0];
      if (difference)
        difference = fmt::format("case {}: {}", which, *difference);
    }
  } catch (const std::exception &error) {
    difference = fmt::format("case {}: {}", which, error.what());
    for (const std::string &violation : standin::violations())
      *difference += "\n" + violation;
  }
  standin::machine().isReversed = false;
  standin::forgive();
  return difference;
}

/// False where the compiler refuses the program.
bool checkSeed(unsigned seed) {
  if (std::getenv("KILN_TEST_TRACE")) // to find a program that ends the process
    std::cerr << "seed " << seed << "\n" << std::flush;
  Program program = drawProgram(seed);
  dropSubnormals(program);
  if (isRefused(program))
    return false;
  std::optional<std::string> failure = checkOnAccelerator(program);
  if (!failure)
    return true;
  std::string number = std::to_string(seed);
  std::string again = "KILN_RANDOM_SEED=" + number +
                      " build/bin/kiln-accelerator-tests --gtest_filter='*RandomPrograms*'";
  Program small = shrink(program, checkOnAccelerator);
  std::string path =
      writeReport(small, "accelerator-seed-" + number, "seed " + number + ": " + *failure, again);
  ADD_FAILURE() << "seed " << seed << ": " << *failure << "\nreduced to " << path
                << "\nagain: " << again << "\n"
                << ir::canonicalText(small.graph);
  return true;
}

class RandomPrograms : public testing::TestWithParam<unsigned> {};

TEST_P(RandomPrograms, AcceleratorAndInterpreterAgree) {
  if (std::getenv("KILN_RANDOM_SEED")) {
    EXPECT_TRUE(checkSeed(fromEnvironment("KILN_RANDOM_SEED", 0))) << "refused";
    return;
  }
  unsigned checked = 0;
  for (unsigned seed = GetParam() * perTest; seed < (GetParam() + 1) * perTest; ++seed)
    checked += checkSeed(seed);
  EXPECT_GE(checked, perTest / 2) << "the others are refused";
}

unsigned numTests() {
  return std::getenv("KILN_RANDOM_SEED")
             ? 1
             : (fromEnvironment("KILN_RANDOM_GRAPHS", 24) + perTest - 1) / perTest;
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPrograms, testing::Range(0u, numTests()));

} // namespace
} // namespace kiln::test
