#include "runtime/cuda/Gpu.h"
#include "runtime/cuda/Kernels.h"

#include "kiln/Error.h"
#include "standin/StandIn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::runtime;
using namespace kiln::runtime::cuda;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

DeviceCode emptyCode(const std::string &chip) {
  DeviceCode code;
  code.chip = chip;
  code.ptx = ".version 8.6\n.target " + chip + "\n.address_size 64\n";
  return code;
}

TEST(Chip, devicesAskForWhatOnlyTheyRun) {
  CompileRequest request;
  requestFor(Accelerator(), request);
  EXPECT_EQ(request.chip, "sm_90a");
  EXPECT_THAT(request.architectures, ElementsAre("sm_90a"));
}

TEST(Chip, codeOfOlderOnesRunsToo) {
  Gpu &gpu = Gpu::get(Accelerator());
  for (const char *chip : {"sm_80", "sm_90", "sm_90a"})
    EXPECT_NO_THROW(LoadedKernels(gpu, emptyCode(chip))) << chip;
  for (const char *chip : {"sm_100", "sm_100a", "sm_80a"})
    try {
      LoadedKernels kernels(gpu, emptyCode(chip));
      ADD_FAILURE() << chip << " was loaded";
    } catch (const DeviceError &error) {
      EXPECT_THAT(error.what(), HasSubstr("code for " + std::string(chip) + " does not run on"));
    }
}

} // namespace
