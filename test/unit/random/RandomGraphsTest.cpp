// Random programs: interpreter = eager = compiled. One seed: KILN_RANDOM_SEED; more:
// KILN_RANDOM_GRAPHS.
#include "test/unit/random/Shrink.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace kiln::test {
namespace {

constexpr unsigned perTest = 25;

unsigned fromEnvironment(const char *name, unsigned otherwise) {
  const char *wish = std::getenv(name);
  return wish ? static_cast<unsigned>(std::strtoul(wish, nullptr, 10)) : otherwise;
}

void checkSeed(unsigned seed, Tally &tally) {
  if (std::getenv("KILN_TEST_TRACE")) // to find a program that ends the process
    std::cerr << "seed " << seed << "\n" << std::flush;
  Program program = drawProgram(seed);
  std::optional<std::string> failure;
  try {
    failure = checkProgram(program, seed, &tally);
  } catch (const std::exception &error) {
    failure = error.what();
  }
  if (!failure)
    return;
  std::string number = std::to_string(seed);
  std::string again =
      "KILN_RANDOM_SEED=" + number + " build/bin/kiln-unit-tests --gtest_filter='*RandomGraphs*'";
  Program small =
      shrink(program, [&](const Program &reduced) { return checkProgram(reduced, seed); });
  std::string path =
      writeReport(small, "seed-" + number, "seed " + number + ": " + *failure, again);
  ADD_FAILURE() << "seed " << seed << ": " << *failure << "\nreduced to " << path
                << "\nagain: " << again << "\n"
                << ir::canonicalText(small.graph);
}

class RandomGraphs : public testing::TestWithParam<unsigned> {};

TEST_P(RandomGraphs, InterpreterEagerAndCompiledAgree) {
  setenv("KILN_VERIFY", "1", 1); // after every pass
  Tally tally;
  if (std::getenv("KILN_RANDOM_SEED"))
    return checkSeed(fromEnvironment("KILN_RANDOM_SEED", 0), tally);
  for (unsigned seed = GetParam() * perTest; seed < (GetParam() + 1) * perTest; ++seed)
    checkSeed(seed, tally);
  if (std::getenv("KILN_TEST_TRACE"))
    std::cerr << tally.elements << " elements, unknown " << tally.unknown << "\n";
}

unsigned numTests() {
  return std::getenv("KILN_RANDOM_SEED")
             ? 1
             : (fromEnvironment("KILN_RANDOM_GRAPHS", 300) + perTest - 1) / perTest;
}

unsigned firstTest() { return fromEnvironment("KILN_RANDOM_FIRST", 0) / perTest; }

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs,
                         testing::Range(firstTest(), firstTest() + numTests()));

} // namespace
} // namespace kiln::test
