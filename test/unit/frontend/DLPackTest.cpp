#include "kiln/kiln.h"

#include <dlpack/dlpack.h>
#include <gmock/gmock.h>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

namespace {

/// A capsule as another library would make it: its memory, and how often it was given back.
struct Capsule {
  explicit Capsule(std::vector<int64_t> dims, DLDataType dtype, void *data)
      : shape(std::move(dims)) {
    managed.dl_tensor = {
        data, {kDLCPU, 0}, static_cast<int>(shape.size()), dtype, shape.data(), nullptr, 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor *self) {
      ++static_cast<Capsule *>(self->manager_ctx)->deleted;
    };
  }
  std::vector<int64_t> shape, strides;
  DLManagedTensor managed{};
  int deleted = 0;
};

constexpr DLDataType f32 = {kDLFloat, 32, 1};

TEST(DLPack, TakesMemoryWithoutACopyAndGivesItBackOnce) {
  alignas(64) float values[] = {1, 2, 3, 4, 5, 6};
  Capsule capsule({2, 3}, f32, values);
  {
    Tensor x = Tensor::fromDLPack(&capsule.managed);
    EXPECT_EQ(x.shape(), (Shape{2, 3}));
    EXPECT_EQ(x.dtype(), DType::float32);
    EXPECT_TRUE(x.isRealized());
    EXPECT_EQ(x.data<float>().data(), values);
    Tensor view = x.T(); // keeps the memory
    x = Tensor();
    EXPECT_EQ(capsule.deleted, 0);
    EXPECT_THAT(view.toVector<float>(), ElementsAre(1, 4, 2, 5, 3, 6));
  }
  EXPECT_EQ(capsule.deleted, 1);
}

TEST(DLPack, HonoursByteOffsetsAndStridesOfDenseTensors) {
  alignas(64) float values[] = {0, 1, 2, 3, 4};
  Capsule capsule({1, 4}, f32, values);
  capsule.managed.dl_tensor.byte_offset = sizeof(float);
  capsule.strides = {77, 1}; // of an axis of size 1 the stride means nothing
  capsule.managed.dl_tensor.strides = capsule.strides.data();
  Tensor x = Tensor::fromDLPack(&capsule.managed);
  EXPECT_THAT(x.toVector<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT((x + 1).toVector<float>(), ElementsAre(2, 3, 4, 5));
}

TEST(DLPack, AllDtypes) {
  alignas(64) static unsigned char bytes[16] = {1, 0, 1, 0, 1, 0, 1, 0, 1};
  struct Case {
    DLDataType code;
    DType dtype;
  };
  const Case cases[] = {{{6, 8, 1}, DType::boolean},           {{kDLInt, 8, 1}, DType::int8},
                        {{kDLInt, 16, 1}, DType::int16},       {{kDLInt, 32, 1}, DType::int32},
                        {{kDLInt, 64, 1}, DType::int64},       {{kDLUInt, 8, 1}, DType::uint8},
                        {{kDLUInt, 16, 1}, DType::uint16},     {{kDLUInt, 32, 1}, DType::uint32},
                        {{kDLUInt, 64, 1}, DType::uint64},     {{kDLFloat, 16, 1}, DType::float16},
                        {{kDLBfloat, 16, 1}, DType::bfloat16}, {{kDLFloat, 32, 1}, DType::float32},
                        {{kDLFloat, 64, 1}, DType::float64}};
  for (const Case &entry : cases) {
    Capsule capsule({2}, entry.code, bytes);
    Tensor x = Tensor::fromDLPack(&capsule.managed);
    EXPECT_EQ(x.dtype(), entry.dtype);
    DLManagedTensor *back = x.toDLPack();
    EXPECT_EQ(back->dl_tensor.dtype.code, entry.code.code) << name(entry.dtype);
    EXPECT_EQ(back->dl_tensor.dtype.bits, entry.code.bits);
    EXPECT_EQ(back->dl_tensor.dtype.lanes, 1);
    EXPECT_EQ(back->dl_tensor.data, bytes);
    x = Tensor();
    EXPECT_EQ(capsule.deleted, 0);
    back->deleter(back);
    EXPECT_EQ(capsule.deleted, 1);
  }
}

TEST(DLPack, GivesItsOwnMemoryWithStrides) {
  Tensor x = Tensor::constant({{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}}) * 2; // not computed yet
  DLManagedTensor *managed = x.toDLPack();
  const DLTensor &given = managed->dl_tensor;
  EXPECT_EQ(given.data, x.data<float>().data());
  EXPECT_EQ(given.device.device_type, kDLCPU);
  ASSERT_EQ(given.ndim, 2);
  EXPECT_THAT(std::vector<int64_t>(given.shape, given.shape + 2), ElementsAre(2, 3));
  EXPECT_THAT(std::vector<int64_t>(given.strides, given.strides + 2), ElementsAre(3, 1));
  x = Tensor(); // the capsule keeps the memory
  EXPECT_EQ(static_cast<const float *>(given.data)[5], 12);
  Tensor again = Tensor::fromDLPack(managed);
  EXPECT_THAT(again.toVector<float>(), ElementsAre(2, 4, 6, 8, 10, 12));
}

TEST(DLPack, ScalarsAndEmptyTensors) {
  float value = 3;
  Capsule scalar({}, f32, &value);
  EXPECT_EQ(Tensor::fromDLPack(&scalar.managed).item<float>(), 3);
  Capsule empty({0, 4}, f32, nullptr);
  Tensor x = Tensor::fromDLPack(&empty.managed);
  EXPECT_EQ(x.shape(), (Shape{0, 4}));
  EXPECT_EQ(x.numElements(), 0);
  EXPECT_TRUE((x + 1).toVector<float>().empty());
  DLManagedTensor *back = x.toDLPack();
  EXPECT_EQ(back->dl_tensor.shape[0], 0);
  back->deleter(back);
}

TEST(DLPack, RefusesWhatItCannotHonourAndLeavesItWithTheCaller) {
  alignas(64) static float values[16] = {};
  auto message = [](Capsule &capsule) { return [&] { Tensor::fromDLPack(&capsule.managed); }; };

  Capsule transposed({2, 3}, f32, values);
  transposed.strides = {1, 2};
  transposed.managed.dl_tensor.strides = transposed.strides.data();
  EXPECT_THAT(message(transposed), ThrowsMessage<ValueError>(HasSubstr("contiguous")));
  Capsule reversed({4}, f32, values + 3);
  reversed.strides = {-1};
  reversed.managed.dl_tensor.strides = reversed.strides.data();
  EXPECT_THAT(message(reversed), ThrowsMessage<ValueError>(HasSubstr("contiguous")));
  Capsule odd({2}, f32, values);
  odd.managed.dl_tensor.byte_offset = 2;
  EXPECT_THAT(message(odd), ThrowsMessage<ValueError>(HasSubstr("not aligned")));
  Capsule complex({2}, {kDLComplex, 64, 1}, values);
  EXPECT_THAT(message(complex), ThrowsMessage<TypeError>(HasSubstr("code 5, 64 bits")));
  Capsule vectors({2}, {kDLFloat, 32, 4}, values);
  EXPECT_THAT(message(vectors), ThrowsMessage<TypeError>(HasSubstr("4 lanes")));
  Capsule remote({2}, f32, values);
  remote.managed.dl_tensor.device = {kDLROCM, 0};
  EXPECT_THAT(message(remote), ThrowsMessage<DeviceError>(HasSubstr("host")));
  Capsule negative({-2}, f32, values);
  EXPECT_THAT(message(negative), ThrowsMessage<ValueError>(HasSubstr("dim 0 is -2")));
  Capsule noData({2}, f32, nullptr);
  EXPECT_THAT(message(noData), ThrowsMessage<ValueError>(HasSubstr("no data")));
  Capsule huge({int64_t{1} << 40, int64_t{1} << 40}, f32, values);
  EXPECT_THROW(Tensor::fromDLPack(&huge.managed), ValueError);
  EXPECT_THROW(Tensor::fromDLPack(nullptr), ValueError);
  EXPECT_THROW(Tensor().toDLPack(), TypeError);
  for (const Capsule *capsule :
       {&transposed, &reversed, &odd, &complex, &vectors, &remote, &negative, &noData, &huge})
    EXPECT_EQ(capsule->deleted, 0);
}

} // namespace
