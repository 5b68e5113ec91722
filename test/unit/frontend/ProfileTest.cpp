// What is recorded of calls of compiled code.
#include "runtime/Profile.h"
#include "kiln/kiln.h"
#include "runtime/Executable.h"

#include <gmock/gmock.h>

using namespace kiln;
using namespace kiln::runtime;

namespace {

struct Twice : nn::Module<Twice> {
  nn::Linear up{64, 256}, down{256, 64};
  KILN_FIELDS(up, down)
  Tensor operator()(const Tensor &x) const { return softmax(down(gelu(up(x), "none")) + x); }
};

Tensor drawn(Shape shape) {
  Tensor x = random::uniform(shape);
  x.realize();
  return x;
}

int64_t valueOf(const Dim &dim, const ProfiledCall &call) {
  DimBindings sizes;
  const Artifact &artifact = call.executable->artifact();
  for (std::size_t i = 0; i < artifact.symbols.size(); ++i)
    sizes[artifact.symbols[i]] = call.symbols[i];
  return dim.evaluate(sizes);
}

TEST(Profile, HoldsEachLaunchOfACallInOrder) {
  Twice module;
  auto model = module.compile(TensorType(DType::float32, {"rows", 64}));
  Tensor few = drawn({3, 64}), many = drawn({2000, 64});
  model(few);
  Profiler::start();
  model(few);
  model(many);
  Profile profile = Profiler::stop();
  model(few); // not recorded any more
  EXPECT_TRUE(Profiler::stop().calls.empty());

  ASSERT_EQ(profile.calls.size(), 2u);
  EXPECT_EQ(profile.droppedCalls, 0);
  for (std::size_t i = 0; i < 2; ++i) {
    const ProfiledCall &call = profile.calls[i];
    const Artifact &artifact = call.executable->artifact();
    EXPECT_EQ(artifact.symbols, std::vector<std::string>{"rows"});
    EXPECT_EQ(call.symbols, std::vector<int64_t>{i ? 2000 : 3});
    ASSERT_EQ(call.launches.size(), artifact.launches.size());
    ASSERT_EQ(artifact.costs.size(), artifact.kernels.size());
    int64_t time = call.beginNs;
    int64_t flops = 0, weightBytes = 0;
    for (std::size_t k = 0; k < call.launches.size(); ++k) {
      const ProfiledLaunch &launch = call.launches[k];
      EXPECT_EQ(launch.launch, static_cast<int64_t>(k));
      EXPECT_GE(launch.beginNs, time);
      EXPECT_GE(launch.endNs, launch.beginNs);
      time = launch.endNs;
      const KernelCost &cost = artifact.costs[artifact.launches[k]];
      flops += valueOf(cost.flops, call);
      weightBytes += valueOf(cost.weightBytes, call);
    }
    EXPECT_LE(time, call.endNs);
    // Two products with biases, gelu, an addition, a softmax.
    int64_t rows = call.symbols[0];
    EXPECT_EQ(flops, rows * (2 * 2 * 64 * 256 + 256 + 64 + 256 + 64 + 5 * 64));
    EXPECT_EQ(weightBytes, (2 * 64 * 256 + 256 + 64) * 4);
  }
}

TEST(Profile, HoldsThePiecesOfEachThread) {
  Twice module;
  auto model = module.compile(TensorType(DType::float32, {"rows", 64}));
  Tensor x = drawn({2000, 64});
  model(x);
  Profiler::start();
  model(x);
  Profile profile = Profiler::stop();
  ASSERT_EQ(profile.calls.size(), 1u);
  const ProfiledCall &call = profile.calls[0];
  if (threadCount() == 1)
    EXPECT_TRUE(call.pieces.empty());
  else
    EXPECT_FALSE(call.pieces.empty());
  for (const ProfiledPiece &piece : call.pieces) {
    ASSERT_GE(piece.launch, 0);
    const ProfiledLaunch &launch = call.launches[static_cast<std::size_t>(piece.launch)];
    EXPECT_GE(piece.beginNs, launch.beginNs);
    EXPECT_LE(piece.endNs, launch.endNs);
  }
}

TEST(Profile, HoldsThePhasesOfCompiling) {
  struct Odd : nn::Module<Odd> {
    Tensor scale = Tensor::ones({17});
    KILN_FIELDS(scale)
    Tensor operator()(const Tensor &x) const { return erf(x * scale - 0.625f); }
  } module;
  Profiler::start();
  auto model = module.compile(TensorType(DType::float32, {"odd", 17}));
  std::vector<std::string> names;
  for (const ProfiledPhase &phase : Profiler::stop().phases) {
    names.push_back(phase.name);
    EXPECT_LE(phase.beginNs, phase.endNs) << phase.name;
  }
  EXPECT_THAT(names, testing::Contains(testing::StartsWith("trace ")));
  EXPECT_THAT(names, testing::Contains("pack the weights"));
  if (model.stats().cacheHit != CacheHit::none)
    GTEST_SKIP() << "found in the cache of an earlier run";
  EXPECT_THAT(names, testing::IsSupersetOf({"canonicalize", "fuse", "outline", "lower", "llvm",
                                            "translate", "optimize", "machine code", "link"}));
  double sum = 0;
  for (const PhaseTime &phase : model.stats().phases)
    sum += phase.seconds;
  EXPECT_GT(sum, 0);
  EXPECT_LE(sum, model.stats().compileSeconds);
}

} // namespace
