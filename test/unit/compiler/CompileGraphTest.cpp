#include "GraphRunner.h"
#include "codegen/Target.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <unistd.h>

namespace kiln::test {
namespace {

TEST(CompileDump, WritesTheIRAfterEachStage) {
  GraphBuilder g;
  g.output(g.node("neg", {g.argument({"n"})}));
  runtime::CompileRequest request;
  auto folder =
      std::filesystem::path(testing::TempDir()) / ("kiln-dump-" + std::to_string(::getpid()));
  request.dumpDir = (folder / "ir").string();
  runtime::CompileResult result;
  kilnCompile(g.graph, request, result);
  ASSERT_EQ(result.error, ErrorKind::none) << result.message;
  EXPECT_TRUE(result.stages.empty());
  for (const char *name : {"0-import.mlir", "1-canonicalize.mlir", "2-fuse.mlir", "3-outline.mlir",
                           "4-lower.mlir", "5-llvm.mlir"})
    EXPECT_GT(std::filesystem::file_size(folder / "ir" / name), 0u) << name;
  std::ifstream page(folder / "ir" / "index.html");
  std::string html(std::istreambuf_iterator<char>(page), {});
  EXPECT_THAT(html,
              testing::HasSubstr("<button onclick=\"show('right', 5)\">5-llvm.mlir</button>"));
  EXPECT_THAT(html, testing::HasSubstr("kiln.neg %arg0")) << "the IR itself";
  EXPECT_THAT(html, testing::HasSubstr("-&gt; tensor")) << "escaped";
  std::filesystem::remove_all(folder);

  request.dumpDir = "/proc/nowhere";
  runtime::CompileResult refused;
  kilnCompile(g.graph, request, refused);
  EXPECT_EQ(refused.error, ErrorKind::io);
  EXPECT_THAT(refused.message, testing::HasSubstr("cannot write /proc/nowhere/0-import.mlir"));
}

class CompileGraph : public testing::TestWithParam<std::string> {};

TEST_P(CompileGraph, linearOfAnyBatch) {
  GraphBuilder g;
  auto x = g.argument({"batch", 20});
  auto w = g.weight({37, 20});
  auto b = g.weight({37});
  auto y = g.node(
      "add",
      {g.node("matmul", {x, g.node("permute", {w}, {{"axes", std::vector<int64_t>{1, 0}}})}), b});
  g.output(y);
  auto executable = load(g.graph, GetParam());
  ASSERT_TRUE(executable);
  EXPECT_EQ(executable->artifact().kernels.size(), 1u);
  auto weights = randomFloats(37 * 20, 1), bias = randomFloats(37, 2);
  for (int64_t batch : {0, 1, 2, 3, 7, 14, 15, 100}) {
    auto input = randomFloats(batch * 20, 3);
    auto out = run(*executable, {tensor<float>({batch, 20}, input),
                                 tensor<float>({37, 20}, weights), tensor<float>({37}, bias)});
    auto got = contents<float>(out[0]);
    ASSERT_EQ(got.size(), size_t(batch * 37));
    for (int64_t m = 0; m < batch; ++m)
      for (int64_t n = 0; n < 37; ++n) {
        double expected = bias[n];
        for (int64_t k = 0; k < 20; ++k)
          expected += double(input[m * 20 + k]) * weights[n * 20 + k];
        ASSERT_NEAR(got[m * 37 + n], expected, 1e-5) << batch << " " << m << " " << n;
      }
  }
}

TEST_P(CompileGraph, softmaxOfAWeightedSum) {
  GraphBuilder g;
  auto x = g.argument({"a", "b"});
  auto y = g.argument({"b"});
  g.output(g.node("softmax", {g.node("add", {x, y})}, {{"axis", int64_t(1)}}));
  auto executable = load(g.graph, GetParam());
  ASSERT_TRUE(executable);
  for (int64_t b : {1, 3, 16, 33, 70}) {
    auto in = randomFloats(5 * b, 3), row = randomFloats(b, 4);
    auto got =
        contents<float>(run(*executable, {tensor<float>({5, b}, in), tensor<float>({b}, row)})[0]);
    for (int64_t i = 0; i < 5; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < b; ++j)
        sum += std::exp(double(in[i * b + j] + row[j]));
      for (int64_t j = 0; j < b; ++j)
        ASSERT_NEAR(got[i * b + j], std::exp(double(in[i * b + j] + row[j])) / sum, 2e-7);
    }
  }
}

TEST_P(CompileGraph, reductionsAlongEachAxis) {
  for (const char *op : {"sum", "mean", "max", "min", "prod"})
    for (int64_t axis : {0, 1, 2}) {
      GraphBuilder g;
      auto x = g.argument({"a", 4, "c"});
      g.output(g.node(op, {g.node("mul", {x, x})}, {{"axis", axis}}));
      auto executable = load(g.graph, GetParam());
      ASSERT_TRUE(executable) << op << axis;
      int64_t sizes[] = {3, 4, 19};
      auto in = randomFloats(3 * 4 * 19, 7);
      auto got = contents<float>(run(*executable, {tensor<float>({3, 4, 19}, in)})[0]);
      int64_t strides[] = {76, 19, 1}, outSizes[] = {3, 4, 19};
      outSizes[axis] = 1;
      ASSERT_EQ(int64_t(got.size()), outSizes[0] * outSizes[1] * outSizes[2]);
      for (int64_t i = 0, at = 0; i < outSizes[0]; ++i)
        for (int64_t j = 0; j < outSizes[1]; ++j)
          for (int64_t k = 0; k < outSizes[2]; ++k, ++at) {
            double sum = 0, product = 1, most = -INFINITY, least = INFINITY;
            for (int64_t r = 0; r < sizes[axis]; ++r) {
              double v = in[i * 76 + j * 19 + k + r * strides[axis]];
              v *= v;
              sum += v, product *= v, most = std::max(most, v), least = std::min(least, v);
            }
            std::string name = op;
            double expected = name == "sum"    ? sum
                              : name == "mean" ? sum / sizes[axis]
                              : name == "prod" ? product
                              : name == "max"  ? most
                                               : least;
            ASSERT_NEAR(got[at], expected, 1e-5 * (1 + std::abs(expected))) << op << axis;
          }
    }
}

TEST_P(CompileGraph, movementsInOneLoop) {
  GraphBuilder g;
  auto x = g.argument({"a", "b", 6});
  auto moved = g.node("permute", {x}, {{"axes", std::vector<int64_t>{2, 0, 1}}});
  auto cut = g.node("slice", {moved},
                    {{"starts", Shape{1, 0, 0}},
                     {"stops", Shape{6, "a", "b"}},
                     {"steps", std::vector<int64_t>{2, 1, 1}}});
  auto both = g.node("concat", {cut, g.node("neg", {cut})}, {{"axis", int64_t(2)}});
  g.output(g.node("add", {both, both}));
  auto executable = load(g.graph, GetParam());
  ASSERT_TRUE(executable);
  int64_t a = 3, b = 9;
  auto in = randomFloats(a * b * 6, 8);
  auto got = contents<float>(run(*executable, {tensor<float>({a, b, 6}, in)})[0]);
  ASSERT_EQ(int64_t(got.size()), 3 * a * 2 * b);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < a; ++j)
      for (int64_t k = 0; k < 2 * b; ++k) {
        float v = in[(j * b + k % b) * 6 + 1 + 2 * i];
        ASSERT_EQ(got[(i * a + j) * 2 * b + k], 2 * (k < b ? v : -v));
      }
}

TEST_P(CompileGraph, gatherChecksItsIndices) {
  GraphBuilder g;
  auto table = g.weight({5, 3});
  auto ids = g.argument({"n"}, DType::int32);
  g.output(g.node("gather", {table, ids}, {{"axis", int64_t(0)}}));
  auto executable = load(g.graph, GetParam());
  ASSERT_TRUE(executable);
  auto rows = randomFloats(15, 9);
  const int expected[] = {4, 0, 2, 2};
  auto got = contents<float>(
      run(*executable, {tensor<float>({5, 3}, rows), tensor<int32_t>({4}, {4, 0, 2, 2})})[0]);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j)
      EXPECT_EQ(got[i * 3 + j], rows[expected[i] * 3 + j]);
  for (int32_t bad : {5, -1, INT32_MIN, INT32_MAX}) {
    auto indices = tensor<int32_t>({4}, {4, 0, bad, 9});
    EXPECT_THROW((run(*executable, {tensor<float>({5, 3}, rows), indices})), IndexError);
  }
}

std::vector<std::string> targetNames() {
  std::vector<std::string> names;
  for (const codegen::Target &target : codegen::Target::allOnHost())
    names.push_back(target.name);
  return names;
}
std::string testName(const testing::TestParamInfo<std::string> &info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Targets, CompileGraph, testing::ValuesIn(targetNames()), testName);

TEST(CompilePrecision, highPacksWeightsInTwoParts) {
  const std::string pairs = "x86-64-v4+avx512bf16", tiles = pairs + "+amx-tile+amx-bf16";
  for (const std::string &target : {pairs, tiles}) {
    GraphBuilder g;
    auto x = g.argument({"n", Dim(64)});
    g.output(g.node("matmul", {x, g.weight({Dim(64), Dim(20)})}));
    runtime::CompileResult result = compileGraph(g.graph, target, {}, Precision::high);
    ASSERT_EQ(result.error, ErrorKind::none) << result.message;
    const runtime::Packing parts{runtime::Packing::Kind::columnParts, 64};
    const runtime::Packing panels{runtime::Packing::Kind::columnPanels, 32};
    EXPECT_EQ(result.artifact.inputs[1].packings,
              std::vector<runtime::Packing>{target == tiles ? parts : panels});
  }
}

} // namespace
} // namespace kiln::test
