// Random programs: interpreter = eager = compiled. One seed: KILN_RANDOM_SEED; more: KILN_RANDOM_GRAPHS.
#include "test/unit/random/Check.h"

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
  if (failure)
    ADD_FAILURE() << "seed " << seed << ": " << *failure << "\n"
                  << ir::canonicalText(program.graph);
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

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Range(0u, numTests()));

} // namespace
} // namespace kiln::test
