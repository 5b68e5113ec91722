// What the compiler makes for accelerators, as the runtime gets it.

#include "test/unit/compiler/GraphRunner.h"

#include "codegen/gpu/Ptxas.h"

#include <gmock/gmock.h>

using namespace kiln;
using namespace kiln::test;
using testing::HasSubstr;

namespace {

/// Sets a variable of the environment until the end of its scope.
class ScopedVariable {
public:
  ScopedVariable(const char *name, const char *value) : name(name) {
    if (const char *old = std::getenv(name))
      before = old;
    setenv(name, value, 1);
  }
  ~ScopedVariable() {
    if (before)
      setenv(name, before->c_str(), 1);
    else
      unsetenv(name);
  }

private:
  const char *name;
  std::optional<std::string> before;
};

ir::Graph lookup(DType dtype = DType::float32) {
  GraphBuilder b;
  ir::ValueId table = b.weight({100, 8}, dtype), indices = b.argument({"n"}, DType::int64);
  ir::ValueId rows = b.node("gather", {table, indices}, {{"axis", int64_t(0)}});
  b.output(b.node("exp", {rows}));
  return b.graph;
}

runtime::CompileResult compileFor(const ir::Graph &graph, std::string chip,
                                  std::vector<std::string> architectures = {}) {
  runtime::CompileRequest request;
  request.chip = std::move(chip);
  request.architectures = std::move(architectures);
  runtime::CompileResult result;
  kilnCompile(graph, request, result);
  return result;
}

TEST(DeviceCode, describesItsFunctions) {
  ScopedVariable none("KILN_PTXAS", "none");
  runtime::CompileResult result = compileFor(lookup(), "sm_90");
  ASSERT_EQ(result.error, ErrorKind::none) << result.message;
  const runtime::DeviceCode &device = result.artifact.device;
  EXPECT_EQ(device.chip, "sm_90");
  EXPECT_THAT(device.ptx, HasSubstr(".target sm_90"));
  EXPECT_TRUE(device.cubins.empty());
  ASSERT_EQ(device.kernels.size(), 1u);
  const runtime::DeviceKernel &kernel = device.kernels[0];
  EXPECT_THAT(device.ptx, HasSubstr(".visible .entry " + kernel.name + "("));
  EXPECT_THAT(device.ptx, HasSubstr(".maxntid " + std::to_string(kernel.threads)));
  // Table, indices, result, n, rank, index record, and how much there is to do.
  EXPECT_EQ(kernel.parameters, 7);
  EXPECT_THAT(device.ptx, HasSubstr(kernel.name + "_param_6\n"));
  EXPECT_EQ(result.artifact.indexSites.size(), 1u);
  EXPECT_FALSE(result.artifact.code.empty()); // the entry, which launches it
}

/// wgmma is in no code that other devices run.
TEST(DeviceCode, hasWgmmaForOneChipAlone) {
  ScopedVariable none("KILN_PTXAS", "none");
  GraphBuilder b;
  ir::ValueId x = b.argument({"n", 512}, DType::bfloat16),
              weight = b.weight({512, 1024}, DType::bfloat16);
  b.output(b.node("matmul", {x, weight}));
  for (const char *chip : {"sm_80", "sm_90", "sm_90a", "sm_100"}) {
    runtime::CompileResult result = compileFor(b.graph, chip);
    ASSERT_EQ(result.error, ErrorKind::none) << result.message;
    const runtime::DeviceCode &device = result.artifact.device;
    const bool isHopper = device.chip == "sm_90a";
    EXPECT_THAT(device.ptx, HasSubstr(".target " + device.chip + "\n"));
    EXPECT_EQ(device.ptx.find("wgmma.mma_async") != std::string::npos, isHopper) << chip;
    for (const runtime::ArtifactInput &input : result.artifact.inputs)
      EXPECT_EQ(!input.packings.empty() &&
                    input.packings[0].kind == runtime::Packing::Kind::columnTiles,
                isHopper && input.isWeight)
          << chip;
  }
}

TEST(DeviceCode, isEmptyForACpu) {
  runtime::CompileResult result = compileFor(lookup(), "");
  ASSERT_EQ(result.error, ErrorKind::none) << result.message;
  EXPECT_TRUE(result.artifact.device.empty());
  EXPECT_TRUE(result.artifact.device.kernels.empty());
}

TEST(DeviceCode, isMachineCodeForEachArchitecture) {
  if (!codegen::findPtxas())
    GTEST_SKIP() << "ptxas is not installed";
  runtime::CompileResult result = compileFor(lookup(), "sm_80", {"sm_80", "sm_90", "sm_100"});
  ASSERT_EQ(result.error, ErrorKind::none) << result.message;
  ASSERT_EQ(result.artifact.device.cubins.size(), 3u);
  for (const auto &[architecture, bytes] : result.artifact.device.cubins) {
    ASSERT_GT(bytes.size(), 4u) << architecture;
    EXPECT_EQ(std::memcmp(bytes.data(),
                          "\x7f"
                          "ELF",
                          4),
              0)
        << architecture;
  }
}

TEST(DeviceCode, reportsWhatPtxasSays) {
  if (!codegen::findPtxas())
    GTEST_SKIP() << "ptxas is not installed";
  auto cubin =
      codegen::assemblePtx(*codegen::findPtxas(), ".version 8.0\n.target sm_80\nnonsense", "sm_80");
  ASSERT_FALSE(cubin);
  EXPECT_THAT(llvm::toString(cubin.takeError()), HasSubstr("line 3"));
}

TEST(DeviceCode, namesAPtxasThatCannotBeRun) {
  ScopedVariable missing("KILN_PTXAS", "/nowhere/ptxas");
  runtime::CompileResult result = compileFor(lookup(), "sm_80");
  EXPECT_EQ(result.error, ErrorKind::compile);
  EXPECT_THAT(result.message, HasSubstr("/nowhere/ptxas"));
}

TEST(DeviceCode, namesAnUnknownChip) {
  runtime::CompileResult result = compileFor(lookup(), "sm_12");
  EXPECT_EQ(result.error, ErrorKind::value);
  EXPECT_THAT(result.message,
              HasSubstr("unknown chip \"sm_12\": expected sm_80, sm_90, sm_90a or sm_100"));
}

TEST(DeviceCode, namesTheLibraryThatIsMissing) {
  ScopedVariable missing("KILN_LIBDEVICE", "none");
  runtime::CompileResult result = compileFor(lookup(DType::float64), "sm_80");
  EXPECT_EQ(result.error, ErrorKind::compile);
  EXPECT_THAT(result.message, HasSubstr("exp of float64 on an accelerator needs libdevice.10.bc"));
  EXPECT_THAT(result.message, HasSubstr("KILN_LIBDEVICE"));
  EXPECT_EQ(compileFor(lookup(), "sm_80").error, ErrorKind::none) << "nothing else needs it";
}

TEST(DeviceCode, namesALibraryThatCannotBeRead) {
  ScopedVariable missing("KILN_LIBDEVICE", "/nowhere/libdevice.10.bc");
  EXPECT_THAT(compileFor(lookup(DType::float64), "sm_80").message,
              HasSubstr("/nowhere/libdevice.10.bc: No such file"));
  ScopedVariable other("KILN_LIBDEVICE", "/dev/null");
  EXPECT_THAT(compileFor(lookup(DType::float64), "sm_80").message, HasSubstr("/dev/null"));
}

} // namespace
