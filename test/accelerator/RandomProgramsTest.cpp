// Random programs on the accelerator against the interpreter of graphs. One seed:
// KILN_RANDOM_SEED; more: KILN_RANDOM_GRAPHS.
#include "standin/StandIn.h"
#include "test/unit/random/OnAccelerator.h"
#include "test/unit/random/Replay.h"
#include "test/unit/random/Shrink.h"

#include <cstdlib>
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
  if (isRefusedOnAccelerator(program))
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
