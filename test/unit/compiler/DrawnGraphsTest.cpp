// Compiled code against the interpreter on special values, to the bit, and on encoders.

#include "test/unit/compiler/DrawnGraphs.h"
#include "ir/Interpreter.h"
#include "test/unit/compiler/GraphRunner.h"

using namespace kiln;
using namespace kiln::ir;
using namespace kiln::test;

namespace {

std::vector<HostTensor> runCompiled(const runtime::Executable &executable,
                                    const std::vector<HostTensor> &arguments) {
  std::vector<runtime::TensorValue> inputs;
  for (const HostTensor &argument : arguments)
    inputs.push_back({argument.type, runtime::Buffer::copyOf(argument.bytes)});
  std::vector<HostTensor> results;
  for (const runtime::TensorValue &result : test::run(executable, inputs)) {
    const auto *data = result.buffer->as<std::byte>();
    auto size = static_cast<size_t>(result.type.sizeBytes().value());
    results.push_back({result.type, {data, data + size}});
  }
  return results;
}

struct DrawnGraphsTest : testing::TestWithParam<const char *> {};

TEST_P(DrawnGraphsTest, ExactGraphsAreEqualToTheBit) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Graph graph = drawExactGraph(seed);
    auto executable = load(graph, GetParam());
    ASSERT_TRUE(executable);
    for (int64_t n : {1, 3, 37}) {
      SCOPED_TRACE("n " + std::to_string(n));
      std::vector<HostTensor> arguments = exactArguments(n);
      Evaluation expected = interpretGraph(graph, arguments);
      ASSERT_TRUE(expected) << expected.message;
      std::vector<HostTensor> actual = runCompiled(*executable, arguments);
      ASSERT_EQ(actual.size(), expected.results.size());
      for (size_t i = 0; i < actual.size(); ++i) {
        SCOPED_TRACE("output " + std::to_string(i));
        expectSame(actual[i], expected.results[i]);
      }
    }
  }
}

TEST_P(DrawnGraphsTest, EncoderGraphsAgree) {
  // Eight steps, each of sums of at most 40 float32 numbers near 1, errors of 2^-23 each.
  constexpr float tolerance = 2e-5f;
  for (unsigned seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Graph graph = drawEncoderGraph(seed);
    auto executable = load(graph, GetParam());
    ASSERT_TRUE(executable);
    for (auto [b, s] : {std::pair<int64_t, int64_t>{1, 1}, {2, 5}, {3, 40}}) {
      SCOPED_TRACE("b " + std::to_string(b) + " s " + std::to_string(s));
      std::vector<HostTensor> arguments = encoderArguments(graph, b, s);
      Evaluation expected = interpretGraph(graph, arguments);
      ASSERT_TRUE(expected) << expected.message;
      std::vector<HostTensor> actual = runCompiled(*executable, arguments);
      ASSERT_EQ(actual.size(), expected.results.size());
      for (size_t i = 0; i < actual.size(); ++i) {
        SCOPED_TRACE("output " + std::to_string(i));
        expectNear(actual[i], expected.results[i], tolerance);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, DrawnGraphsTest, testing::Values("native", "x86-64"),
                         [](const auto &info) { return info.index == 0 ? "native" : "baseline"; });

} // namespace
