#include <cstdlib>

#include <gtest/gtest.h>

/// The tests of accelerators run on the library that stands in for the driver, on any machine.
int main(int argc, char **argv) {
  setenv("KILN_CUDA_DRIVER", KILN_STANDIN, 1);
  setenv("KILN_NCCL", "off", 0);
  setenv("KILN_PTXAS", "none", 0); // what is interpreted needs no machine code
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
