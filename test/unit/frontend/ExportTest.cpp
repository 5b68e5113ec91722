// Exported models: what is in the object and how large it is. What C programs make of them:
// test/deploy.py, test/tools/compile_test.py.
#include "kiln/kiln.h"
#include "tools/common/minilm/LoadEncoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace kiln;
namespace fs = std::filesystem;

namespace {

class ExportTest : public testing::Test {
protected:
  ExportTest()
      : folder(fs::path(testing::TempDir()) / ("kiln-export-" + std::to_string(getpid()))) {
    fs::create_directories(folder);
  }
  ~ExportTest() override { fs::remove_all(folder); }

  std::string object(const std::string &name) const { return (folder / (name + ".o")).string(); }
  std::string contents(const std::string &file) const {
    std::ifstream in(folder / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path folder;
};

} // namespace

TEST_F(ExportTest, TheEncodersCodeIsAtMost2MB) {
  const char *model = std::getenv("KILN_MODEL_DIR");
  if (!model || !fs::exists(fs::path(model) / "model.safetensors"))
    GTEST_SKIP() << "no model: tools/fetch-model";
  auto config = tools::configFromWeights(fs::path(model) / "model.safetensors");
  auto encoder = tools::loadEncoder(fs::path(model) / "model.safetensors", config);
  TensorType tokens(DType::int64, {"batch", "seq"});
  auto compiled = encoder.compile(CompileOptions{.target = "x86-64-v3"}, tokens, tokens);
  constexpr std::uintmax_t limitBytes = 2'000'000;
  for (const char *target : {"x86-64-v2", "x86-64-v3", "x86-64-v4", "amx"}) {
    compiled.exportObject(object("encoder"), "encoder", {.targets = {target}});
    std::uintmax_t bytes = fs::file_size(object("encoder"));
    RecordProperty(target, std::to_string(bytes));
    EXPECT_LE(bytes, limitBytes) << target;
  }
  // All of them, without what is the same.
  compiled.exportObject(object("encoder"), "encoder",
                        {.targets = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "amx"}});
  RecordProperty("together", std::to_string(fs::file_size(object("encoder"))));
  EXPECT_LE(fs::file_size(object("encoder")), limitBytes);
}

TEST_F(ExportTest, WeightsAreRepackedForOtherTargets) {
  random::seed(3);
  nn::Linear linear(37, 21);
  auto exported = [&](const char *compiledFor, const char *name) {
    auto model = linear.compile(CompileOptions{.target = compiledFor},
                                TensorType(DType::float32, {"n", 37}));
    model.exportObject(object(name), name, {.targets = {"x86-64-v3"}});
    return contents(std::string(name) + ".weights");
  };
  // The key is that of graph and target, whatever else the model was compiled for.
  std::string weights = exported("x86-64-v3", "same");
  EXPECT_EQ(exported("x86-64", "other"), weights);
  EXPECT_GT(weights.size(), 37 * 21 * sizeof(float));
}

TEST_F(ExportTest, EqualTargetsAreThereOnce) {
  nn::Linear linear(3, 2);
  auto model = linear.compile(TensorType(DType::float32, {"n", 3}));
  model.exportObject(object("one"), "one", {.targets = {"x86-64-v3"}});
  model.exportObject(object("two"), "two", {.targets = {"avx2", "x86-64-v3"}});
  EXPECT_EQ(fs::file_size(object("one")), fs::file_size(object("two")));
  EXPECT_THAT(contents("two.h"), testing::HasSubstr("Has code for x86-64-v3; two_open"));
}

TEST_F(ExportTest, AmxIsATargetBesideOthers) {
  // Multiplied in tiles: the weights of each target have their own form.
  nn::Linear linear(64, 32, true, DType::bfloat16);
  auto model =
      linear.compile(CompileOptions{.target = "x86-64-v3"}, TensorType(DType::bfloat16, {"n", 64}));
  model.exportObject(object("tiles"), "tiles", {.targets = {"x86-64-v4", "amx"}});
  EXPECT_THAT(contents("tiles.h"),
              testing::HasSubstr("x86-64-v4+avx512vnni+avx512bf16+amx-tile+amx-bf16"));
  model.exportObject(object("plain"), "plain", {.targets = {"x86-64-v4"}});
  EXPECT_GT(fs::file_size(folder / "tiles.weights"), fs::file_size(folder / "plain.weights"));
}

TEST_F(ExportTest, UnknownTargetsAreNamed) {
  nn::Linear linear(3, 2);
  auto model = linear.compile(TensorType(DType::float32, {"n", 3}));
  auto message = [&](const char *target) {
    try {
      model.exportObject(object("bad"), "bad", {.targets = {"x86-64-v3", target}});
    } catch (const ValueError &error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message("pdp-11"),
              testing::MatchesRegex(R"(\[exportObject\] .*unknown target 'pdp-11'.*ExportTest.*)"));
  EXPECT_THAT(message("amx+quantum"), testing::HasSubstr("unknown feature 'quantum'"));
  EXPECT_FALSE(fs::exists(object("bad")));
}
