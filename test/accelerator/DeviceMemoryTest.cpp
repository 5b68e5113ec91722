#include "runtime/cuda/DeviceMemory.h"

#include "kiln/Error.h"
#include "kiln/Stats.h"
#include "runtime/Buffer.h"
#include "runtime/cuda/DeviceContents.h"
#include "standin/StandIn.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using namespace kiln::runtime;
using namespace kiln::runtime::cuda;
using testing::AllOf;
using testing::HasSubstr;

namespace {

using Block = kiln::runtime::cuda::DeviceMemory::Block;

constexpr int outOfMemory = 2;

class DeviceMemoryTest : public testing::Test {
protected:
  void SetUp() override {
    trim();
    before = standin::live();
  }
  void TearDown() override {
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
    standin::forgive(); // forgets them
    gpu.memory().setLimit(0);
    trim();
    EXPECT_EQ(standin::live().allocations, before.allocations);
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
  }
  void trim() {
    for (int i = 0; i < acceleratorCount(); ++i)
      Gpu::get(Accelerator(i)).memory().trim();
  }
  std::string errorOf(const std::function<void()> &body) {
    try {
      body();
    } catch (const DeviceError &error) {
      return error.what();
    }
    return "no error";
  }
  Gpu &gpu = Gpu::get(Accelerator());
  standin::Live before;
};

std::vector<std::byte> counted(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<std::byte>(i * 7 + i / 256);
  return bytes;
}

TEST_F(DeviceMemoryTest, theDevicesAreThere) {
  EXPECT_EQ(acceleratorCount(), 2);
  EXPECT_EQ(gpu.architecture(), 80);
  EXPECT_EQ(gpu.name(), "Stand-in 0");
  EXPECT_EQ(chipOf(gpu), "sm_80");
  EXPECT_THAT(errorOf([] { Gpu::get(Accelerator(2)); }),
              HasSubstr("gpu:2 is not there: 2 accelerator(s) found"));
}

TEST_F(DeviceMemoryTest, whatIsFreedIsUsedAgain) {
  Stream &stream = gpu.stream();
  Block block = gpu.memory().take(1000, stream);
  EXPECT_EQ(block.address % 256, 0u);
  EXPECT_EQ(gpu.memory().usage().blocks.heldBytes, 1024);
  gpu.memory().give(block);
  EXPECT_EQ(gpu.memory().usage().blocks.heldBytes, 0);
  EXPECT_EQ(gpu.memory().usage().cachedBytes, 1024);
  int64_t asked = standin::calls("cuMemAlloc_v2");
  Block again = gpu.memory().take(900, stream);
  EXPECT_EQ(again.address, block.address);
  EXPECT_EQ(standin::calls("cuMemAlloc_v2"), asked);
  gpu.memory().give(again);
}

TEST_F(DeviceMemoryTest, anotherStreamWaitsForTheLastUser) {
  Buffer::copyOf(counted(5000), Accelerator()); // enqueued, and its memory free again
  int64_t waits = standin::calls("cuStreamWaitEvent");
  std::thread other([&] {
    ASSERT_NE(&gpu.stream(), nullptr);
    Block block = gpu.memory().take(5000, gpu.stream());
    gpu.memory().give(block);
  });
  other.join();
  EXPECT_EQ(standin::calls("cuStreamWaitEvent"), waits + 1);
}

TEST_F(DeviceMemoryTest, outOfMemoryFreesTheCacheAndTriesOnceMore) {
  Stream &stream = gpu.stream();
  std::size_t most = standin::machine().memoryBytes;
  gpu.memory().give(gpu.memory().take(most / 2, stream));
  int64_t asked = standin::calls("cuMemAlloc_v2");
  Block large = gpu.memory().take(most / 4 * 3, stream);
  EXPECT_EQ(standin::calls("cuMemAlloc_v2"), asked + 2);
  EXPECT_EQ(gpu.memory().usage().cachedBytes, 0);
  EXPECT_THAT(errorOf([&] { gpu.memory().take(most / 2, stream); }),
              AllOf(HasSubstr("gpu:0: out of memory"), HasSubstr("asked for 134217728 bytes"),
                    HasSubstr("201326592 are held"), HasSubstr("the device has 268435456"),
                    HasSubstr("CUDA_ERROR_OUT_OF_MEMORY: out of memory")));
  EXPECT_EQ(standin::calls("cuMemAlloc_v2"), asked + 4);
  gpu.memory().give(large);
  gpu.memory().give(gpu.memory().take(most / 2, stream));
}

TEST_F(DeviceMemoryTest, theLimitHolds) {
  Stream &stream = gpu.stream();
  gpu.memory().setLimit(10000);
  gpu.memory().give(gpu.memory().take(6000, stream));
  Block block = gpu.memory().take(8000, stream); // the cached block goes
  EXPECT_THAT(errorOf([&] { gpu.memory().take(4000, stream); }),
              HasSubstr("8192 are held of at most 10000"));
  gpu.memory().give(block);
}

TEST_F(DeviceMemoryTest, buffersGoThereAndBack) {
  for (std::size_t count : {std::size_t{0}, std::size_t{5}, std::size_t{9} << 20}) {
    std::vector<std::byte> bytes = counted(count);
    std::shared_ptr<const Buffer> there = Buffer::copyOf(bytes, Accelerator());
    EXPECT_EQ(there->device(), Accelerator());
    std::shared_ptr<const Buffer> further = Buffer::copyOf(*there, Accelerator(1));
    there.reset(); // its memory may be used again at once
    Buffer::copyOf(std::vector<std::byte>(count), Accelerator());
    std::shared_ptr<const Buffer> back = Buffer::copyOf(*further, CPU());
    EXPECT_TRUE(std::ranges::equal(back->bytes(), bytes)) << count;
    EXPECT_TRUE(std::ranges::equal(further->bytes(), bytes)) << count;
  }
}

TEST_F(DeviceMemoryTest, withoutPeerAccessCopiesGoThroughTheHost) {
  // Whether devices reach each other is asked once: of 0 by 1 here, of 1 by 0 above.
  standin::machine().hasPeerAccess = false;
  std::vector<std::byte> bytes = counted(3000);
  std::shared_ptr<const Buffer> there = Buffer::copyOf(bytes, Accelerator(1));
  standin::clearLog();
  std::shared_ptr<const Buffer> here = Buffer::copyOf(*there, Accelerator());
  EXPECT_TRUE(std::ranges::equal(here->bytes(), bytes));
  for (const std::string &work : standin::executed())
    EXPECT_THAT(work, testing::Not(HasSubstr("from gpu")));
  standin::machine().hasPeerAccess = true;
}

TEST_F(DeviceMemoryTest, whatIsFilledOnTheHostIsCopiedWhenItIsUsed) {
  std::shared_ptr<Buffer> buffer = Buffer::allocate(64, Accelerator());
  std::vector<std::byte> bytes = counted(64);
  std::copy(bytes.begin(), bytes.end(), buffer->mutableData());
  EXPECT_EQ(gpu.memory().usage().blocks.heldBytes, 0);
  Stream &stream = gpu.stream();
  Address address = buffer->onAccelerator()->address(stream);
  EXPECT_EQ(standin::peek(address, 64), std::vector<std::byte>(64, std::byte{0xFF}));
  stream.synchronize();
  EXPECT_EQ(standin::peek(address, 64), bytes);
  std::shared_ptr<Buffer> part = Buffer::partOf(buffer, 16, 8);
  EXPECT_EQ(part->onAccelerator()->address(stream), address + 16);
  EXPECT_EQ(part->data()[0], bytes[16]);
  EXPECT_TRUE(part->isAlignedFor(DType::float32));
  EXPECT_FALSE(Buffer::partOf(buffer, 8, 8)->isAlignedFor(DType::float32)); // for kernels
}

TEST_F(DeviceMemoryTest, statisticsCountThem) {
  std::shared_ptr<const Buffer> buffer = Buffer::copyOf(counted(4096), Accelerator(1));
  EXPECT_EQ(runtimeStats().heldBytes(Accelerator(1)), 4096);
  buffer.reset();
  EXPECT_EQ(runtimeStats().heldBytes(Accelerator(1)), 0);
  EXPECT_GE(runtimeStats().peakBytes(Accelerator(1)), 4096);
}

/// Every call of the driver on the way of a copy may fail: the error names it, and nothing leaks.
TEST_F(DeviceMemoryTest, failuresAreReportedAndLeaveNothing) {
  std::vector<std::byte> bytes = counted(1000);
  Buffer::copyOf(bytes, Accelerator())->data(); // streams, staging
  int64_t held = gpu.memory().usage().blocks.heldBytes;
  for (const char *call : {"cuCtxSetCurrent", "cuMemAlloc_v2", "cuMemcpyHtoDAsync_v2",
                           "cuEventRecord", "cuMemcpyDtoHAsync_v2", "cuEventSynchronize"}) {
    gpu.memory().trim();
    standin::failCall(call, 1, 1);
    EXPECT_THAT(errorOf([&] { Buffer::copyOf(bytes, Accelerator())->data(); }),
                AllOf(HasSubstr(std::string(call) + " failed"),
                      HasSubstr("CUDA_ERROR_INVALID_VALUE: invalid argument")))
        << call;
    EXPECT_EQ(gpu.memory().usage().blocks.heldBytes, held) << call;
    EXPECT_TRUE(std::ranges::equal(Buffer::copyOf(bytes, Accelerator())->bytes(), bytes)) << call;
  }
  standin::failCall("cuMemAlloc_v2", 1, outOfMemory, 2);
  EXPECT_THAT(errorOf([&] { Buffer::copyOf(counted(100000), Accelerator()); }),
              HasSubstr("out of memory: asked for 100000 bytes"));
}

} // namespace
