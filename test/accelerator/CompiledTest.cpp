#include "kiln/kiln.h"

#include "runtime/cuda/DeviceMemory.h"
#include "standin/StandIn.h"

#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using testing::AllOf;
using testing::HasSubstr;

namespace {

struct Scale : nn::Module<Scale> {
  Tensor weight, bias;
  KILN_FIELDS(weight, bias)
  Tensor operator()(const Tensor &x) const { return exp(x * weight) + bias; }
};

struct Lookup : nn::Module<Lookup> {
  Tensor table;
  KILN_FIELDS(table)
  Tensor operator()(const Tensor &indices) const { return gather(table, indices, 0) * 2; }
};

class CompiledTest : public testing::Test {
protected:
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
  }
  static int count(const std::vector<std::string> &works, const std::string &part) {
    return static_cast<int>(std::count_if(works.begin(), works.end(), [&](const std::string &work) {
      return work.find(part) != work.npos;
    }));
  }
  Scale scale{.weight = Tensor::constant({1.0f, 2.0f, 3.0f}).to(CPU()),
              .bias = Tensor::constant({0.5f, 0.25f, 0.125f}).to(CPU())};
};

TEST_F(CompiledTest, theSameProgramRunsOnBoth) {
  auto program = [&](Device device) {
    Scale model = scale;
    model.to(device);
    auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, device));
    std::vector<float> all;
    for (int64_t batch : {1, 7, 300}) {
      auto x = Tensor::arange(0, batch * 3, 1, DType::float32, device) / (3.0f * 300);
      std::vector<float> part = compiled(x.reshape({batch, 3})).template toVector<float>();
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  std::vector<float> expected = program(CPU()), got = program(Accelerator());
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 2e-6f * std::abs(expected[i])) << i;
}

TEST_F(CompiledTest, weightsAreMovedOnce) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  auto x = Tensor::ones({4, 3}, DType::float32, Accelerator());
  compiled(x).toVector<float>();
  standin::clearLog();
  for (int i = 0; i < 3; ++i)
    compiled(x).realize();
  compiled(x).toVector<float>();
  EXPECT_EQ(count(standin::executed(), "to device"), 0);
  EXPECT_EQ(count(standin::executed(), "kernel"), 4);
}

TEST_F(CompiledTest, callsReturnBeforeTheWorkIsDone) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  auto x = Tensor::ones({4, 3}, DType::float32, Accelerator());
  compiled(x).toVector<float>();
  standin::clearLog();
  auto y = compiled(x), z = compiled(y);
  EXPECT_EQ(count(standin::executed(), "kernel"), 0);
  z.toVector<float>();
  EXPECT_EQ(count(standin::executed(), "kernel"), 2);
}

TEST_F(CompiledTest, whatComesAgainIsReplayed) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  auto x = Tensor::ones({5, 3}, DType::float32, Accelerator());
  std::vector<float> first = compiled(x).toVector<float>();
  int64_t launches = standin::calls("cuLaunchKernel"), graphs = standin::calls("cuGraphLaunch");
  for (int i = 0; i < 4; ++i) // the result's memory is the same each time
    EXPECT_EQ(compiled(x).toVector<float>(), first);
  EXPECT_EQ(standin::calls("cuGraphLaunch"), graphs + 4);
  EXPECT_EQ(standin::calls("cuLaunchKernel"), launches + 1); // what was recorded
  // Another size, another graph.
  auto longer = Tensor::ones({6, 3}, DType::float32, Accelerator());
  EXPECT_EQ(compiled(longer).toVector<float>().size(), 18u);
  EXPECT_EQ(standin::calls("cuGraphLaunch"), graphs + 4);
}

TEST_F(CompiledTest, graphsAreBoundedAndGoWithTheModel) {
  int64_t before = standin::live().graphExecs;
  {
    auto model = scale;
    model.to(Accelerator());
    auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
    for (int64_t batch = 1; batch <= 50; ++batch) {
      auto x = Tensor::ones({batch, 3}, DType::float32, Accelerator());
      compiled(x).realize();
      compiled(x).realize();
      compiled(x).toVector<float>();
    }
    EXPECT_GT(standin::live().graphExecs, before);
    EXPECT_LE(standin::live().graphExecs, before + 40); // 32 of one artifact
    EXPECT_EQ(standin::live().graphs, 0);
  }
}

/// A graph that goes is not thrown away: the next one takes its place by an update.
TEST_F(CompiledTest, graphsThatGoAreUpdatedToThoseThatCome) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  auto runTwice = [&](int64_t batch) {
    auto x = Tensor::full({batch, 3}, 0, DType::float32, Accelerator());
    for (int i = 0; i < 3; ++i) {
      auto values = compiled(x).toVector<float>();
      EXPECT_EQ(values.size(), static_cast<std::size_t>(batch * 3));
      for (std::size_t at = 0; at < values.size(); ++at)
        EXPECT_EQ(values[at], (std::vector<float>{1.5f, 1.25f, 1.125f})[at % 3]);
    }
  };
  for (int64_t batch = 1; batch <= 32; ++batch)
    runTwice(batch);
  int64_t made = standin::calls("cuGraphInstantiateWithFlags");
  int64_t updates = standin::calls("cuGraphExecUpdate_v2"), execs = standin::live().graphExecs;
  for (int64_t batch = 33; batch <= 42; ++batch)
    runTwice(batch);
  EXPECT_EQ(standin::calls("cuGraphInstantiateWithFlags"), made);
  EXPECT_EQ(standin::calls("cuGraphExecUpdate_v2"), updates + 10);
  EXPECT_EQ(standin::live().graphExecs, execs);
  // Where the driver refuses, one is made.
  standin::failCall("cuGraphExecUpdate_v2", 1, 910);
  runTwice(43);
  EXPECT_EQ(standin::calls("cuGraphInstantiateWithFlags"), made + 1);
  EXPECT_EQ(standin::live().graphExecs, execs);
}

TEST_F(CompiledTest, argumentsOfAnotherDeviceAreRefused) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  EXPECT_THROW((void)compiled(Tensor::ones({4, 3}, DType::float32, CPU())), ValueError);
}

TEST_F(CompiledTest, indexErrorsAreThoseOfTheCpu) {
  auto message = [](Device device) {
    Lookup model{.table = Tensor::arange(0, 30, 1, DType::float32, CPU()).reshape({10, 3})};
    model.to(device);
    auto compiled = model.compile(TensorType(DType::int64, {"n"}, device));
    auto good = Tensor::constant({int64_t{9}, int64_t{0}}).to(device);
    EXPECT_EQ(compiled(good).toVector<float>(), (std::vector<float>{54, 56, 58, 0, 2, 4}));
    auto bad = Tensor::constant({int64_t{9}, int64_t{10}, int64_t{-3}}).to(device);
    std::string text = "no error";
    for (int i = 0; i < 3; ++i) // also from a graph
      try {
        compiled(bad).realize();
      } catch (const IndexError &error) {
        text = error.what();
      }
    // One that failed leaves nothing behind.
    EXPECT_EQ(compiled(good).toVector<float>(), (std::vector<float>{54, 56, 58, 0, 2, 4}));
    return text.substr(0, text.find(" (at"));
  };
  std::string expected = message(CPU());
  EXPECT_THAT(expected, HasSubstr("index 10 at position 1 is out of range [0, 10)"));
  EXPECT_EQ(message(Accelerator()), expected);
}

TEST_F(CompiledTest, manyThreadsCallOneModel) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      auto x = Tensor::full({t + 1, 3}, 0, DType::float32, Accelerator());
      for (int round = 0; round < 6; ++round)
        EXPECT_EQ(compiled(x)[t].toVector<float>(), (std::vector<float>{1.5f, 1.25f, 1.125f}));
    });
  for (std::thread &thread : threads)
    thread.join();
}

/// Every call of the driver that a call makes may fail; the next one works.
TEST_F(CompiledTest, failuresOfTheDriver) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  compiled(Tensor::ones({5, 3}, DType::float32, Accelerator())).toVector<float>();
  int64_t held = runtimeStats().heldBytes(Accelerator()), batch = 10;
  for (const char *call :
       {"cuLaunchKernel", "cuStreamBeginCapture_v2", "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuMemcpyDtoHAsync_v2"}) {
    {
      // A new size: launched, then recorded, then replayed.
      auto x = Tensor::full({++batch, 3}, 0, DType::float32, Accelerator());
      bool failed = false;
      standin::failCall(call, 1, 1);
      if (std::string_view(call) == "cuGraphInstantiateWithFlags") // not where one can be updated
        standin::failCall("cuGraphExecUpdate_v2", 1, 910);
      for (int i = 0; i < 3; ++i)
        try {
          compiled(x).toVector<float>();
        } catch (const DeviceError &error) {
          failed = true;
          EXPECT_THAT(error.what(), HasSubstr(std::string(call) + " failed"));
        }
      EXPECT_TRUE(failed) << call;
      EXPECT_EQ(compiled(x)[2].toVector<float>(), (std::vector<float>{1.5f, 1.25f, 1.125f}))
          << call;
      EXPECT_EQ(standin::live().graphs, 0) << call;
    }
    EXPECT_EQ(runtimeStats().heldBytes(Accelerator()), held) << call;
  }
}

TEST_F(CompiledTest, whatIsForCpusAloneIsRefused) {
  auto model = scale;
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"batch", 3}, Accelerator()));
  try {
    compiled.exportObject(testing::TempDir() + "/scale.o", "scale");
    FAIL() << "no error";
  } catch (const CompileError &error) {
    EXPECT_THAT(error.what(), HasSubstr("the model is for an accelerator"));
  }
}

TEST_F(CompiledTest, comparingRunsTheAcceleratorsCode) {
  auto model = scale;
  model.to(Accelerator());
  int64_t launches = standin::calls("cuLaunchKernel");
  auto x = Tensor::ones({4, 3}, DType::float32, Accelerator());
  EXPECT_TRUE(bool(compare(model, {x}, {.tolerance = 1e-5})));
  EXPECT_GT(standin::calls("cuLaunchKernel"), launches);
}

} // namespace
