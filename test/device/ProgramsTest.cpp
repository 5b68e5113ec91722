// Random programs against the interpreter, within bounds that are worked out for each element.
// $KILN_DEVICE_PROGRAMS: how many.
#include "test/device/References.h"
#include "test/unit/random/OnAccelerator.h"
#include "test/unit/random/Replay.h"

#include <cstdlib>
#include <fmt/format.h>

#include <gtest/gtest.h>

namespace kiln::test {
namespace {

constexpr unsigned perTest = 8;

class Programs : public testing::TestWithParam<unsigned> {};

/// None: all is well, or the compiler refuses the program.
std::optional<std::string> checkSeed(unsigned seed, unsigned &checked) {
  Program program = drawProgram(seed);
  dropSubnormals(program);
  try {
    CompiledGraph compiled = compileReplay(program.graph, program.cases[0], {}, Accelerator());
    ++checked;
    for (std::size_t i = 0; i < program.cases.size(); ++i) {
      const Case &one = program.cases[i];
      Expected expected = reference(fmt::format("program-{}-{}", seed, i),
                                    [&] { return interpretForAccelerator(program.graph, one); });
      std::vector<ir::DenseData> got = runReplay(compiled, program.graph, one, Accelerator());
      if (isRecording())
        continue;
      if (auto difference = findDifference(expected, got))
        return fmt::format("case {}: {}", i, *difference);
    }
    return std::nullopt;
  } catch (const CompileError &error) {
    // Nothing for accelerators; where it was recorded there is no code for it.
    std::string_view text = error.what();
    if (text.find("has no lowering for") != text.npos ||
        text.find("compiler cannot be loaded") != text.npos)
      return std::nullopt;
    return error.what();
  } catch (const std::exception &error) {
    return error.what();
  }
}

TEST_P(Programs, agreeWithTheInterpreter) {
  unsigned checked = 0;
  for (unsigned seed = GetParam() * perTest; seed < (GetParam() + 1) * perTest; ++seed)
    if (auto failure = checkSeed(seed, checked))
      ADD_FAILURE() << "seed " << seed << ": " << *failure;
  EXPECT_GE(checked, perTest / 2) << "there is no code for the others";
}

unsigned numTests() {
  const char *wish = std::getenv("KILN_DEVICE_PROGRAMS");
  auto count = wish ? static_cast<unsigned>(std::strtoul(wish, nullptr, 10)) : 96;
  return (count + perTest - 1) / perTest;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Programs, testing::Range(0u, numTests()));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Programs);

} // namespace
} // namespace kiln::test
