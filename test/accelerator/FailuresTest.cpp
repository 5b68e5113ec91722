#include "kiln/kiln.h"

#include "runtime/ArtifactCache.h"
#include "runtime/cuda/DeviceMemory.h"
#include "standin/StandIn.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using kiln::runtime::cuda::Gpu;
using testing::HasSubstr;

namespace {

constexpr int invalidValue = 1, outOfMemory = 2;

/// All that a model does on a device, from its weights to its results, with a failure at one call
/// of the driver.
class FailuresTest : public testing::Test {
protected:
  FailuresTest() : scope(DType::float32, CPU()) { random::seed(5); }
  void TearDown() override {
    standin::forgive();
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
  }

  /// Loads code, moves weights, runs: three times, so that launches are made, recorded and
  /// replayed.
  static std::vector<float> program(const nn::Sequential &model, const Tensor &ids) {
    nn::Sequential there = model;
    there.to(Accelerator());
    auto compiled = there.compile(TensorType(DType::int64, {"n"}, Accelerator()));
    Tensor x = ids.to(Accelerator());
    std::vector<float> values;
    for (int i = 0; i < 3; ++i)
      values = compiled(x).toVector<float>();
    return values;
  }
  /// What is held when nobody holds a model: code, graphs and memory that waits for reuse have
  /// gone.
  static standin::Live held() {
    runtime::ArtifactCache::instance().clearMemory();
    for (Gpu *gpu : Gpu::used())
      gpu->memory().trim();
    return standin::live();
  }
  static std::string text(const standin::Live &live) {
    return testing::PrintToString(std::vector<int64_t>{
        live.allocations, live.allocatedBytes, live.hostAllocations, live.streams, live.events,
        live.modules, live.graphs, live.graphExecs});
  }
  DefaultsScope scope;
};

TEST_F(FailuresTest, everyCallOfAModel) {
  nn::Sequential model(nn::Embedding(20, {.dim = 8}), nn::Linear(8, 5), nn::GELU(),
                       nn::LayerNorm(5));
  std::vector<int64_t> numbers{3, 19, 0, 7};
  Tensor ids = Tensor::fromData(std::span<const int64_t>(numbers), {4});
  const std::vector<float> expected = program(model, ids);
  held();
  std::map<std::string, int64_t> before = standin::allCalls();
  EXPECT_EQ(program(model, ids), expected);
  standin::Live baseline = held();
  std::map<std::string, int64_t> counts;
  for (const auto &[name, count] : standin::allCalls())
    if (count > before[name])
      counts[name] = count - before[name];
  for (const char *needed : {"cuLaunchKernel", "cuModuleLoadDataEx", "cuMemAlloc_v2",
                             "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuGraphLaunch"})
    EXPECT_GT(counts[needed], 0) << needed;

  // What fails to give back is held from then on, whatever the runtime does.
  const std::set<std::string> givesBack{"cuMemFree_v2", "cuModuleUnload", "cuGraphExecDestroy",
                                        "cuGraphDestroy", "cuEventDestroy_v2"};
  int64_t failures = 0;
  for (const auto &[name, count] : counts) {
    std::set<int64_t> places{1, 2, 3, count / 2, count - 1, count};
    for (int64_t place : places) {
      if (place < 1 || place > count)
        continue;
      SCOPED_TRACE(testing::Message() << name << ", call " << place << " of " << count);
      bool isMemory = name == "cuMemAlloc_v2"; // asked once more when the cache has been freed
      standin::failCall(name, static_cast<int>(place), isMemory ? outOfMemory : invalidValue,
                        isMemory ? 2 : 1);
      try {
        EXPECT_EQ(program(model, ids), expected); // there was another way
      } catch (const DeviceError &error) {
        ++failures;
        std::string what = error.what();
        if (isMemory)
          EXPECT_THAT(what, HasSubstr("out of memory"));
        else
          EXPECT_THAT(what, HasSubstr(name + " failed"));
        if (name == "cuLaunchKernel")
          EXPECT_THAT(what, HasSubstr("for kernel "));
      }
      standin::forgive();
      EXPECT_EQ(program(model, ids), expected);
      if (givesBack.contains(name))
        baseline = held();
      else
        EXPECT_EQ(text(held()), text(baseline));
    }
  }
  EXPECT_GT(failures, 20);
}

} // namespace
