#include "kiln/kiln.h"

#include <cstring>
#include <dlpack/dlpack.h>
#include <gmock/gmock.h>
#include <memory>

using namespace kiln;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// MAX's tests/driver/test_buffer.py: exchange with other libraries.
namespace {

/// An array as another library holds it: a header with the capsule's parts at the end of its own
/// allocation, which the deleter gives back; `alive` counts such allocations.
struct OtherArray {
  static int alive;
  std::vector<unsigned char> storage;
  int64_t shape[4] = {}, strides[4] = {};
  DLManagedTensor capsule{};

  ~OtherArray() { --alive; }

  /// Row-major. Elements begin `offset` bytes into the memory.
  template <class T>
  static OtherArray *make(const std::vector<T> &values, const std::vector<int64_t> &dims,
                          DLDataType dtype, std::size_t offset = 0, bool hasStrides = true) {
    auto *array = new OtherArray;
    ++alive;
    array->storage.resize(values.size() * sizeof(T) + offset + 64);
    void *aligned = array->storage.data();
    std::size_t space = array->storage.size();
    std::align(64, 1, aligned, space);
    if (!values.empty())
      std::memcpy(static_cast<unsigned char *>(aligned) + offset, values.data(),
                  values.size() * sizeof(T));
    int64_t stride = 1;
    for (std::size_t i = dims.size(); i-- > 0;) {
      array->shape[i] = dims[i];
      array->strides[i] = stride;
      stride *= dims[i];
    }
    DLTensor &tensor = array->capsule.dl_tensor;
    tensor.data = aligned;
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int>(dims.size());
    tensor.dtype = dtype;
    tensor.shape = array->shape;
    tensor.strides = hasStrides ? array->strides : nullptr;
    tensor.byte_offset = offset;
    array->capsule.manager_ctx = array;
    array->capsule.deleter = [](DLManagedTensor *self) {
      delete static_cast<OtherArray *>(self->manager_ctx);
    };
    return array;
  }
};
int OtherArray::alive = 0;

constexpr DLDataType f32 = {kDLFloat, 32, 1};

TEST(MaxBuffer, test_from_dlpack) {
  OtherArray *array = OtherArray::make<float>({1, 2, 3, 4}, {2, 2}, f32);
  const void *memory = array->capsule.dl_tensor.data;
  {
    Tensor x = Tensor::fromDLPack(&array->capsule);
    EXPECT_EQ(x.data<float>().data(), memory); // no copy
    EXPECT_THAT((x * 2).toVector<float>(), ElementsAre(2, 4, 6, 8));
    Tensor row = x[1]; // a view keeps the other library's memory
    x = Tensor();
    EXPECT_EQ(OtherArray::alive, 1);
    EXPECT_THAT(row.toVector<float>(), ElementsAre(3, 4));
  }
  EXPECT_EQ(OtherArray::alive, 0);
}

TEST(MaxBuffer, test_dlpack_bool_and_bfloat16) {
  OtherArray *truths = OtherArray::make<uint8_t>({1, 0, 1}, {3}, {6, 8, 1});
  EXPECT_THAT(Tensor::fromDLPack(&truths->capsule).toVector<bool>(),
              ElementsAre(true, false, true));
  OtherArray *halves = OtherArray::make<uint16_t>({0x3f80, 0x4000}, {2}, {kDLBfloat, 16, 1});
  Tensor x = Tensor::fromDLPack(&halves->capsule);
  EXPECT_EQ(x.dtype(), DType::bfloat16);
  EXPECT_THAT(x.cast(DType::float32).toVector<float>(), ElementsAre(1, 2));
  x = Tensor();
  EXPECT_EQ(OtherArray::alive, 0);
}

TEST(MaxBuffer, test_dlpack_offsets_and_strides) {
  OtherArray *offset = OtherArray::make<float>({1, 2}, {2}, f32, 12);
  EXPECT_THAT(Tensor::fromDLPack(&offset->capsule).toVector<float>(), ElementsAre(1, 2));
  OtherArray *plain = OtherArray::make<float>({1, 2}, {2, 1}, f32, 0, false);
  EXPECT_THAT(Tensor::fromDLPack(&plain->capsule).toVector<float>(), ElementsAre(1, 2));
  // What strides of axes of size 1, or of an empty array, say is of no meaning.
  OtherArray *odd = OtherArray::make<float>({1, 2, 3}, {1, 3, 1}, f32);
  odd->strides[0] = -5;
  odd->strides[2] = 99;
  EXPECT_THAT(Tensor::fromDLPack(&odd->capsule).toVector<float>(), ElementsAre(1, 2, 3));
  OtherArray *empty = OtherArray::make<float>({}, {3, 0}, f32);
  empty->strides[0] = 7;
  EXPECT_EQ(Tensor::fromDLPack(&empty->capsule).shape(), (Shape{3, 0}));
  EXPECT_EQ(OtherArray::alive, 0);
}

TEST(MaxBuffer, test_dlpack_non_contiguous) {
  OtherArray *array = OtherArray::make<float>({1, 2, 3, 4}, {2, 2}, f32);
  std::swap(array->strides[0], array->strides[1]);
  EXPECT_THAT([&] { Tensor::fromDLPack(&array->capsule); },
              ThrowsMessage<ValueError>(HasSubstr("make it contiguous")));
  EXPECT_EQ(OtherArray::alive, 1); // still the caller's
  array->capsule.deleter(&array->capsule);
  OtherArray *misaligned = OtherArray::make<float>({1, 2}, {2}, f32, 2);
  EXPECT_THAT([&] { Tensor::fromDLPack(&misaligned->capsule); },
              ThrowsMessage<ValueError>(HasSubstr("not aligned")));
  misaligned->capsule.deleter(&misaligned->capsule);
  EXPECT_EQ(OtherArray::alive, 0);
}

TEST(MaxBuffer, test_to_dlpack_device) {
  DLManagedTensor *capsule = Tensor::ones({2, 3}).toDLPack();
  EXPECT_EQ(capsule->dl_tensor.device.device_type, kDLCPU);
  EXPECT_EQ(capsule->dl_tensor.device.device_id, 0);
  EXPECT_EQ(capsule->dl_tensor.byte_offset, 0u);
  capsule->deleter(capsule);
  // A view begins where its memory does, and lies dense.
  Tensor x = Tensor::arange(12).reshape({3, 4});
  DLManagedTensor *row = x[2].toDLPack();
  EXPECT_EQ(static_cast<const int64_t *>(row->dl_tensor.data)[0], 8);
  EXPECT_EQ(row->dl_tensor.strides[0], 1);
  row->deleter(row);
  DLManagedTensor *columns = x.T().toDLPack(); // computed first
  EXPECT_THAT(std::vector<int64_t>(columns->dl_tensor.strides, columns->dl_tensor.strides + 2),
              ElementsAre(3, 1));
  columns->deleter(columns);
}

TEST(MaxBuffer, test_dlpack_short_circuit) {
  // What comes back is the tensor that went: its memory, and its device.
  Tensor x = Tensor::ones({2}).to(CPU(1));
  Tensor y = Tensor::fromDLPack(x.toDLPack());
  EXPECT_EQ(y.type(), x.type());
  EXPECT_EQ(y.data<float>().data(), x.data<float>().data());
}

TEST(MaxBuffer, test_dlpack_double_transfer) {
  // Each capsule is taken once; two of one tensor share its memory and are given back apart.
  Tensor x = Tensor::ones({2});
  DLManagedTensor *first = x.toDLPack(), *second = x.toDLPack();
  EXPECT_NE(first, second);
  EXPECT_EQ(first->dl_tensor.data, second->dl_tensor.data);
  first->deleter(first);
  x = Tensor();
  EXPECT_EQ(static_cast<const float *>(second->dl_tensor.data)[1], 1);
  second->deleter(second);
}

TEST(MaxBuffer, test_setitem_getitem_bfloat16) {
  Tensor x = Tensor::constant({{1.0f, 2.0f}, {3.0f, 4.0f}}, DType::bfloat16);
  EXPECT_EQ(static_cast<float>(x[1][0].item<BFloat16>()), 3);
}

TEST(MaxBuffer, test_slices) {
  Tensor x = Tensor::arange(5);
  EXPECT_THAT(x.slice({Slice({}, {}, -1)}).toVector<int64_t>(), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(
      [&] { x.slice({Slice(0, 9)}); },
      ThrowsMessage<ValueError>(HasSubstr("stop index 9 out of range for dimension size 5")));
  EXPECT_THROW(x[5], IndexError);
}

TEST(MaxBuffer, test_item) {
  EXPECT_EQ(Tensor::constant({{7}}).item<int>(), 7);
  EXPECT_THROW(Tensor::arange(2).item<int64_t>(), ValueError);
  EXPECT_THROW(Tensor::zeros({0}).item<float>(), ValueError);
  EXPECT_THROW(Tensor::constant(1).item<float>(), TypeError);
}

} // namespace
