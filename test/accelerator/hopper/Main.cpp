#include "standin/StandIn.h"

#include <cstdlib>

#include <gtest/gtest.h>

/// The stand-in as a device of compute capability 9.0, for code of sm_90a.
int main(int argc, char **argv) {
  setenv("KILN_CUDA_DRIVER", KILN_STANDIN, 1);
  setenv("KILN_NCCL", "off", 1);
  setenv("KILN_PTXAS", "none", 0); // what is interpreted needs no machine code
  standin::machine().major = 9;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
