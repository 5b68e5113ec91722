#include "kiln/kiln.h"

#include "runtime/cuda/DeviceContents.h"
#include "standin/StandIn.h"

#include <cstring>

#include <dlpack/dlpack.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kiln;
using kiln::runtime::cuda::Gpu;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Device memory of another library, and how often it was given back. Its contents are in place.
struct Foreign {
  Foreign(std::vector<float> values, std::vector<int64_t> dims, std::size_t skipped = 0)
      : shape(std::move(dims)) {
    gpu.enter();
    gpu.driver().allocate(&address, (values.size() + skipped) * sizeof(float) + 64);
    gpu.driver().copyToDevice(address + skipped * sizeof(float), values.data(),
                              values.size() * sizeof(float), gpu.stream().handle());
    gpu.stream().synchronize();
    managed.dl_tensor = {reinterpret_cast<void *>(address),
                         {kDLCUDA, 0},
                         static_cast<int>(shape.size()),
                         {kDLFloat, 32, 1},
                         shape.data(),
                         nullptr,
                         skipped * sizeof(float)};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor *self) {
      auto *own = static_cast<Foreign *>(self->manager_ctx);
      ++own->deleted;
      own->gpu.enter();
      own->gpu.driver().free(own->address); // noticed where work that is left reads it
    };
  }
  Gpu &gpu = Gpu::get(Accelerator());
  kiln::runtime::cuda::Address address = 0;
  std::vector<int64_t> shape;
  DLManagedTensor managed{};
  int deleted = 0;
};

/// Tensors of accelerators from and for other libraries.
class SharedMemoryTest : public testing::Test {
protected:
  SharedMemoryTest() : scope(DType::float32, CPU()) {}
  void TearDown() override {
    standin::forgive();
    EXPECT_THAT(standin::violations(), testing::IsEmpty());
  }
  DefaultsScope scope;
};

TEST_F(SharedMemoryTest, TakesMemoryWithoutACopyAndGivesItBackOnce) {
  Foreign foreign({1, 2, 3, 4, 5, 6}, {2, 3});
  standin::clearLog();
  Tensor result;
  {
    Tensor x = Tensor::fromDLPack(&foreign.managed);
    EXPECT_EQ(x.device(), Accelerator());
    EXPECT_EQ(x.shape(), (Shape{2, 3}));
    (result = x * 2 + 1).realize();
    for (const std::string &work : standin::executed())
      EXPECT_THAT(work, testing::Not(HasSubstr("to device 24 bytes")));
    EXPECT_EQ(foreign.deleted, 0);
  }
  // It went when the device had read it.
  EXPECT_EQ(foreign.deleted, 1);
  EXPECT_THAT(result.toVector<float>(), ElementsAre(3, 5, 7, 9, 11, 13));
}

TEST_F(SharedMemoryTest, WhatIsNotAlignedForKernelsIsCopied) {
  Foreign foreign({1, 2, 3}, {3}, 1);
  {
    Tensor x = Tensor::fromDLPack(&foreign.managed);
    EXPECT_THAT((x + x).toVector<float>(), ElementsAre(2, 4, 6));
    EXPECT_THAT(x.toVector<float>(), ElementsAre(1, 2, 3));
  }
  EXPECT_EQ(foreign.deleted, 1);
}

TEST_F(SharedMemoryTest, IsAnArgumentOfACompiledModel) {
  nn::Linear model(3, 2);
  model.to(Accelerator());
  auto compiled = model.compile(TensorType(DType::float32, {"rows", 3}, Accelerator()));
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  Tensor own = Tensor::fromData(std::span<const float>(values), {2, 3}).to(Accelerator());
  std::vector<float> expected = compiled(own).toVector<float>();
  for (int i = 0; i < 3; ++i) {
    Foreign foreign(values, {2, 3});
    EXPECT_EQ(compiled(Tensor::fromDLPack(&foreign.managed)).toVector<float>(), expected);
    EXPECT_EQ(foreign.deleted, 1);
  }
}

TEST_F(SharedMemoryTest, GivesItsOwnMemoryWhenItHasBeenWritten) {
  Tensor x = Tensor::arange(0, 6, 1, DType::float32, Accelerator()).reshape({2, 3}) * 3;
  DLManagedTensor *managed = x.toDLPack();
  const DLTensor &given = managed->dl_tensor;
  EXPECT_EQ(given.device.device_type, kDLCUDA);
  EXPECT_EQ(given.device.device_id, 0);
  ASSERT_EQ(given.ndim, 2);
  EXPECT_EQ(given.shape[1], 3);
  x = Tensor(); // the capsule keeps the memory
  // Looked at without waiting for anything.
  std::vector<std::byte> bytes =
      standin::peek(reinterpret_cast<uint64_t>(given.data) + given.byte_offset, 24);
  ASSERT_EQ(bytes.size(), 24u);
  std::vector<float> values(6);
  std::memcpy(values.data(), bytes.data(), bytes.size());
  EXPECT_THAT(values, ElementsAre(0, 3, 6, 9, 12, 15));
  Tensor again = Tensor::fromDLPack(managed); // one of ours comes back
  EXPECT_EQ(again.device(), Accelerator());
  EXPECT_THAT(again.toVector<float>(), ElementsAre(0, 3, 6, 9, 12, 15));
}

TEST_F(SharedMemoryTest, PartsBeginWhereTheyLie) {
  Tensor x = Tensor::arange(0, 32, 1, DType::float32, Accelerator()).reshape({4, 8});
  x.realize();
  Tensor row = x[2];
  DLManagedTensor *managed = row.toDLPack();
  std::vector<std::byte> bytes =
      standin::peek(reinterpret_cast<uint64_t>(managed->dl_tensor.data), 4);
  ASSERT_EQ(bytes.size(), 4u);
  float first = 0;
  std::memcpy(&first, bytes.data(), sizeof(first));
  EXPECT_EQ(first, 16);
  managed->deleter(managed);
}

TEST_F(SharedMemoryTest, DevicesThatAreNotThereAreRefused) {
  Foreign foreign({1}, {1});
  foreign.managed.dl_tensor.device.device_id = 9;
  try {
    (void)Tensor::fromDLPack(&foreign.managed);
    FAIL() << "no error";
  } catch (const DeviceError &error) {
    EXPECT_THAT(error.what(), HasSubstr("gpu:9"));
  }
  EXPECT_EQ(foreign.deleted, 0) << "it stays with the caller";
  foreign.managed.deleter(&foreign.managed);
}

} // namespace
