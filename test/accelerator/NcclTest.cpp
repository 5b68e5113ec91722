// Through NCCL, for which the stand-in has functions as well. Which library there is is settled for
// a process: ctest runs these as accelerator-nccl, with KILN_NCCL.
#include "kiln/kiln.h"

#include "runtime/cuda/DeviceCollective.h"
#include "runtime/cuda/DeviceMemory.h"
#include "runtime/cuda/Nccl.h"
#include "runtime/cuda/Staging.h"
#include "standin/StandIn.h"

#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::runtime;
using namespace kiln::runtime::cuda;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class NcclTest : public testing::Test {
protected:
  void SetUp() override {
    if (!Nccl::find())
      GTEST_SKIP() << "KILN_NCCL is off";
  }
  void TearDown() override {
    standin::forgive();
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
  }

  /// What each rank has in the end of `body`, which all call with their `in` and `out`.
  template <class T>
  std::vector<std::vector<T>> run(const std::vector<std::vector<T>> &ins, std::size_t results,
                                  const std::function<void(Collective &, void *, void *)> &body) {
    std::vector<cuda::Stream *> streams;
    for (std::size_t r = 0; r < ins.size(); ++r)
      streams.push_back(&Gpu::get(Accelerator(static_cast<int>(r))).stream());
    auto collectives =
        makeDeviceCollectives(streams, makeInProcessCollectives(static_cast<int64_t>(ins.size())));
    std::vector<std::vector<T>> outs(ins.size(), std::vector<T>(results));
    std::vector<std::exception_ptr> errors(ins.size());
    std::vector<cuda::DeviceMemory::Block> from, to;
    for (std::size_t r = 0; r < ins.size(); ++r) {
      Gpu &gpu = streams[r]->gpu();
      from.push_back(gpu.memory().take(ins[r].size() * sizeof(T), *streams[r]));
      to.push_back(gpu.memory().take(results * sizeof(T), *streams[r]));
      gpu.staging().upload(from[r].address, ins[r].data(), ins[r].size() * sizeof(T), *streams[r]);
    }
    std::vector<std::thread> threads;
    for (std::size_t r = 0; r < ins.size(); ++r)
      threads.emplace_back([&, r] {
        try {
          body(*collectives[r], reinterpret_cast<void *>(from[r].address),
               reinterpret_cast<void *>(to[r].address));
        } catch (...) {
          errors[r] = std::current_exception();
          collectives[r]->abort();
        }
        collectives[r]->finish();
      });
    for (std::thread &thread : threads)
      thread.join();
    for (std::size_t r = 0; r < ins.size(); ++r) {
      Gpu &gpu = streams[r]->gpu();
      if (!errors[r])
        gpu.staging().download(outs[r].data(), to[r].address, results * sizeof(T), *streams[r]);
      gpu.memory().give(from[r]);
      gpu.memory().give(to[r]);
    }
    for (std::exception_ptr &error : errors)
      if (error)
        std::rethrow_exception(error);
    return outs;
  }

  template <class T> void checkSum(DType dtype) {
    std::vector<std::vector<T>> ins{{T(1), T(2), T(3)}, {T(10), T(20), T(30)}};
    int64_t calls = standin::calls("ncclAllReduce");
    auto outs = run<T>(
        ins, 3, [&](Collective &own, void *in, void *out) { own.allReduce(in, out, 3, dtype); });
    EXPECT_EQ(standin::calls("ncclAllReduce"), calls + 2) << name(dtype);
    for (const auto &out : outs)
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(static_cast<float>(out[i]), static_cast<float>(11 * (i + 1))) << name(dtype);
  }
};

TEST_F(NcclTest, sumsOfAllDtypes) {
  checkSum<int8_t>(DType::int8);
  checkSum<uint8_t>(DType::uint8);
  checkSum<int32_t>(DType::int32);
  checkSum<uint32_t>(DType::uint32);
  checkSum<int64_t>(DType::int64);
  checkSum<uint64_t>(DType::uint64);
  checkSum<Float16>(DType::float16);
  checkSum<BFloat16>(DType::bfloat16);
  checkSum<float>(DType::float32);
  checkSum<double>(DType::float64);
}

TEST_F(NcclTest, whatItDoesNotSumGoesThroughTheHost) {
  int64_t calls = standin::calls("ncclAllReduce");
  auto outs = run<int16_t>({{1, -2}, {10, 20}}, 2, [](Collective &own, void *in, void *out) {
    own.allReduce(in, out, 2, DType::int16);
  });
  EXPECT_THAT(outs, testing::Each(ElementsAre(11, 18)));
  EXPECT_EQ(standin::calls("ncclAllReduce"), calls);
}

TEST_F(NcclTest, gathers) {
  int64_t calls = standin::calls("ncclAllGather");
  auto outs = run<float>({{1, 2}, {3, 4}}, 4, [](Collective &own, void *in, void *out) {
    own.allGather(in, out, 1, 8);
  });
  EXPECT_THAT(outs, testing::Each(ElementsAre(1, 2, 3, 4)));
  EXPECT_EQ(standin::calls("ncclAllGather"), calls + 2);
  // Runs of several rows are put together by copies.
  outs = run<float>({{1, 2}, {3, 4}}, 4,
                    [](Collective &own, void *in, void *out) { own.allGather(in, out, 2, 4); });
  EXPECT_THAT(outs, testing::Each(ElementsAre(1, 3, 2, 4)));
  EXPECT_EQ(standin::calls("ncclAllGather"), calls + 2);
}

TEST_F(NcclTest, severalInOneCallStayInOrder) {
  auto outs = run<float>({{1, 2}, {10, 20}}, 2, [](Collective &own, void *in, void *out) {
    own.allReduce(in, out, 2, DType::float32);
    own.allReduce(out, in, 2, DType::float32);
    own.allReduce(in, out, 2, DType::float32);
  });
  EXPECT_THAT(outs, testing::Each(ElementsAre(44, 88)));
}

TEST_F(NcclTest, itsErrorsAreDeviceErrors) {
  auto once = [&] {
    return run<float>({{1}, {2}}, 1, [](Collective &own, void *in, void *out) {
      own.allReduce(in, out, 1, DType::float32);
    });
  };
  once();
  standin::failCall("ncclAllReduce", 1, 1, 2); // of both ranks
  try {
    once();
    FAIL() << "no error";
  } catch (const DeviceError &error) {
    EXPECT_THAT(error.what(), HasSubstr("ncclAllReduce failed: unhandled cuda error"));
  }
  standin::forgive(); // a rank that was told of the other's failure has not come to its own
  EXPECT_THAT(once(), testing::Each(ElementsAre(3)));
}

TEST_F(NcclTest, modelsSumThroughIt) {
  nn::embedding::VocabParallelEmbedding embedding({.vocabSize = 11,
                                                   .hiddenDim = 4,
                                                   .dtype = DType::float32,
                                                   .devices = {Accelerator(0), Accelerator(1)},
                                                   .name = "tokens"});
  std::map<std::string, Tensor> state;
  state["weight"] = Tensor::arange(0, 44, 1, DType::float32, CPU()).reshape({11, 4});
  embedding.loadStateDict(state);
  int64_t calls = standin::calls("ncclAllReduce");
  auto indices = Tensor::constant({int64_t{10}, int64_t{0}, int64_t{6}}).to(Accelerator(0));
  std::vector<Tensor> rows = embedding(indices);
  for (const Tensor &one : rows)
    EXPECT_EQ(one.toVector<float>(),
              (std::vector<float>{40, 41, 42, 43, 0, 1, 2, 3, 24, 25, 26, 27}));
  EXPECT_EQ(standin::calls("ncclAllReduce"), calls + 2);
}

TEST_F(NcclTest, whereItCannotBeginSumsGoThroughTheHost) {
  // A list of devices that no test has asked for: communicators are made once.
  cuda::Stream &first = Gpu::get(Accelerator(1)).stream(),
               &second = Gpu::get(Accelerator(0)).stream();
  std::vector<cuda::Stream *> streams{&first, &second};
  standin::failCall("ncclCommInitAll", 1, 1);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(Nccl::find()->communicators(streams).empty());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("ncclCommInitAll failed: unhandled cuda error; sums go through the host"));
}

} // namespace
