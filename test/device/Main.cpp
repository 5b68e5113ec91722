// Tests of a real accelerator: nothing here knows which driver is behind it. Results are held
// against the interpreter's, which may have been recorded elsewhere (References.h).
#include "kiln/kiln.h"
#include "runtime/cuda/Gpu.h"

#include <cstdio>

#include <gtest/gtest.h>

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!testing::GTEST_FLAG(list_tests) && kiln::acceleratorCount() == 0) {
    std::fprintf(stderr, "no accelerator: %s\n", kiln::runtime::cuda::Gpu::whyNone().c_str());
    return 3;
  }
  return RUN_ALL_TESTS();
}
