#include "runtime/Buffer.h"

#include "kiln/Error.h"
#include "runtime/HostMemory.h"
#include "runtime/MappedFile.h"
#include "runtime/WorkspacePool.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

using namespace kiln;
using namespace kiln::runtime;

namespace {

int64_t held(Device device) { return memoryUsage(device).heldBytes; }

/// A file in the test's folder that is removed afterwards.
struct TemporaryFile {
  explicit TemporaryFile(const std::string &contents)
      : path(testing::TempDir() + "kiln-buffer-test-" + std::to_string(::getpid())) {
    std::ofstream(path, std::ios::binary) << contents;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

} // namespace

TEST(Buffer, OwnedIsAlignedAndCounted) {
  Device device = CPU(7);
  int64_t before = held(device);
  {
    auto small = Buffer::allocate(100, device);
    auto large = Buffer::allocate(10 << 20, device);
    EXPECT_EQ(held(device), before + 100 + (10 << 20));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(small->data()) % memoryAlignment, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(large->data()) % memoryAlignment, 0u);
    std::memset(large->mutableData(), 1, large->sizeBytes());
    auto again = small;
    EXPECT_EQ(held(device), before + 100 + (10 << 20)) << "sharing costs nothing";
  }
  EXPECT_EQ(held(device), before);
  EXPECT_GE(memoryUsage(device).peakBytes, before + 100 + (10 << 20));
}

TEST(Buffer, ZeroBytesHaveAnAddress) {
  auto buffer = Buffer::allocate(0);
  EXPECT_NE(buffer->data(), nullptr);
  EXPECT_EQ(buffer->sizeBytes(), 0u);
  EXPECT_EQ(Buffer::copyOf({})->sizeBytes(), 0u);
}

TEST(Buffer, LargeBlocksAreReusedWithinABound) {
  trimMemory();
  const std::byte *first;
  {
    auto buffer = Buffer::allocate(3 << 20);
    first = buffer->data();
  }
  EXPECT_GE(recycledBytes(), std::size_t{3} << 20);
  EXPECT_EQ(Buffer::allocate(3 << 20)->data(), first);
  EXPECT_EQ(Buffer::allocate((3 << 20) - 1000)->data(), first) << "sizes of one class share blocks";
  for (int i = 1; i < 20; ++i)
    Buffer::allocate(std::size_t(i) * (20 << 20));
  EXPECT_LE(recycledBytes(), maxRecycledBytes);
  trimMemory();
  EXPECT_EQ(recycledBytes(), 0u);
}

TEST(Buffer, WhatIsNotThereIsADeviceError) {
  EXPECT_THROW(Buffer::allocate(SIZE_MAX), DeviceError);
  EXPECT_THROW(Buffer::allocate(std::size_t{1} << 60), DeviceError);
  EXPECT_THROW(Buffer::allocate(1, CPU(64)), DeviceError);
  EXPECT_THROW(Buffer::allocate(1, CPU(-1)), DeviceError);
  EXPECT_THROW(Buffer::allocate(1, Accelerator()), DeviceError);
}

TEST(Buffer, SlicesOfFilesKeepTheFileAndAreNotCounted) {
  int64_t before = held(CPU());
  std::shared_ptr<Buffer> slice;
  {
    TemporaryFile file("0123456789");
    auto mapped = MappedFile::open(file.path);
    slice = Buffer::ofFile(mapped, 3, 4);
    EXPECT_THROW(Buffer::ofFile(mapped, 3, 8), IoError);
    EXPECT_THROW(Buffer::ofFile(mapped, 11, 0), IoError);
    EXPECT_THROW(Buffer::ofFile(mapped, SIZE_MAX, 2), IoError);
  }
  EXPECT_EQ(slice->kind(), Buffer::Kind::mapped);
  EXPECT_EQ(std::string(slice->as<char>(), slice->sizeBytes()), "3456");
  EXPECT_THROW(slice->mutableData(), std::logic_error);
  EXPECT_EQ(held(CPU()), before);
}

TEST(Buffer, FilesThatCannotBeReadAreIoErrors) {
  EXPECT_THROW(MappedFile::open("/nowhere/file"), IoError);
  EXPECT_THROW(MappedFile::open("/"), IoError);
  TemporaryFile file("");
  EXPECT_TRUE(MappedFile::open(file.path)->bytes().empty());
}

TEST(Buffer, ForeignMemoryIsGivenBackOnce) {
  float values[4] = {1, 2, 3, 4};
  int deleted = 0;
  {
    auto buffer = Buffer::foreign(values, sizeof(values), [&] { ++deleted; });
    auto again = buffer;
    EXPECT_EQ(buffer->as<float>()[2], 3);
    EXPECT_EQ(deleted, 0);
  }
  EXPECT_EQ(deleted, 1);
}

TEST(WorkspacePool, ReusesTheYoungestAndKeepsConcurrentOnesApart) {
  WorkspacePool &pool = WorkspacePool::instance();
  pool.trim();
  void *first;
  {
    auto a = pool.take(1000, CPU());
    auto b = pool.take(1000, CPU());
    EXPECT_NE(a.data(), b.data());
    first = a.data(); // given back last
  }
  EXPECT_EQ(pool.take(500, CPU()).data(), first);
  EXPECT_NE(pool.take(500, CPU(5)).data(), first) << "each device has its own";
  EXPECT_EQ(pool.take(0, CPU()).data(), nullptr);
  pool.trim();
}

TEST(WorkspacePool, IdleWorkspacesAreBounded) {
  WorkspacePool &pool = WorkspacePool::instance();
  pool.trim();
  int64_t before = held(CPU(6));
  for (std::size_t megabytes = 1; megabytes <= 400; megabytes += 40)
    pool.take(megabytes << 20, CPU(6));
  EXPECT_LE(held(CPU(6)) - before, int64_t(WorkspacePool::maxIdleBytes));
  pool.trim();
  EXPECT_EQ(held(CPU(6)), before);
}
