// What a call of a compiled model costs in memory: its outputs, and nothing that grows.
#include "kiln/kiln.h"

#include <gtest/gtest.h>

using namespace kiln;

namespace {

struct Block : nn::Module<Block> {
  nn::Linear up{64, 256}, down{256, 64};
  nn::LayerNorm norm{64};
  KILN_FIELDS(up, down, norm)
  Tensor operator()(const Tensor &x) const {
    Tensor hidden = gelu(up(x), "none");
    Tensor weights = softmax(hidden);
    return norm(x + down(weights * hidden)); // weights and hidden need a workspace
  }
};

TEST(CallMemory, ACallHoldsItsOutputsAndNothingElse) {
  Block block;
  auto model = block.compile(TensorType(DType::float32, {"batch", 64}));
  Tensor x = random::uniform({50, 64});
  x.realize();
  model(x); // packs the weights, makes the workspace
  int64_t before = runtimeStats().heldBytes();
  std::vector<Tensor> outputs;
  for (int i = 0; i < 5; ++i)
    outputs.push_back(model(x));
  EXPECT_EQ(runtimeStats().heldBytes() - before, 5 * 50 * 64 * int64_t(sizeof(float)));
  outputs.clear();
  EXPECT_EQ(runtimeStats().heldBytes(), before);
}

TEST(CallMemory, TheWorkspaceIsUsedAgain) {
  Block block;
  auto model = block.compile(TensorType(DType::float32, {"batch", 64}));
  Tensor x = random::uniform({400, 64});
  x.realize();
  model(x);
  RuntimeStats before = runtimeStats();
  for (int i = 0; i < 20; ++i)
    model(x);
  RuntimeStats after = runtimeStats();
  EXPECT_EQ(after.heldBytes(), before.heldBytes());
  // At most one more output than before is alive at a time.
  EXPECT_LE(after.peakBytes(), std::max(before.peakBytes(), before.heldBytes() + 400 * 64 * 4));
}

} // namespace
