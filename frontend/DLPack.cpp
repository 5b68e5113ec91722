#include "frontend/Node.h"
#include "frontend/Record.h"
#include "runtime/cuda/DeviceContents.h"

#include <dlpack/dlpack.h>
#include <fmt/format.h>

/// Tensors from and for other libraries, in the structs of DLPack.
namespace kiln {

using detail::Call;

namespace {

/// Booleans of one byte have a code of their own since DLPack 0.8; earlier headers do not name it.
constexpr uint8_t booleanCode = 6;
/// CUDA's managed memory, which earlier headers do not name either.
constexpr int managedCode = 13;
/// More axes than any library makes: a capsule that says so is broken.
constexpr int maxRank = 64;

DLDataType toCode(DType dtype) {
  uint8_t code = dtype == DType::boolean    ? booleanCode
                 : dtype == DType::bfloat16 ? static_cast<uint8_t>(kDLBfloat)
                 : isFloat(dtype)           ? static_cast<uint8_t>(kDLFloat)
                 : isUnsigned(dtype)        ? static_cast<uint8_t>(kDLUInt)
                                            : static_cast<uint8_t>(kDLInt);
  return {code, static_cast<uint8_t>(8 * sizeBytes(dtype)), 1};
}

DType fromCode(const Call &call, const DLDataType &given) {
  for (DType dtype : {DType::boolean, DType::int8, DType::int16, DType::int32, DType::int64,
                      DType::uint8, DType::uint16, DType::uint32, DType::uint64, DType::float16,
                      DType::bfloat16, DType::float32, DType::float64})
    if (DLDataType known = toCode(dtype);
        known.code == given.code && known.bits == given.bits && known.lanes == given.lanes)
      return dtype;
  call.fail(ErrorKind::type, fmt::format("there is no dtype for DLPack code {}, {} bits, {} lanes",
                                         given.code, given.bits, given.lanes));
}

/// Whether the elements lie as in a dense, row-major tensor. Strides count elements; those of axes
/// of size 1 mean nothing, and of an empty tensor none does.
bool isDense(const DLTensor &tensor) {
  if (!tensor.strides)
    return true;
  for (int i = 0; i < tensor.ndim; ++i)
    if (tensor.shape[i] == 0)
      return true;
  int64_t expected = 1;
  for (int i = tensor.ndim - 1; i >= 0; --i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected)
      return false;
    expected *= tensor.shape[i];
  }
  return true;
}

/// Memory that the host can read, or that of an accelerator.
Device deviceOf(const Call &call, const DLDevice &given) {
  switch (static_cast<int>(given.device_type)) {
  case kDLCPU:
  case kDLCUDAHost:
    return CPU();
  case kDLCUDA:
  case managedCode: {
    Device device = Accelerator(given.device_id);
    detail::checkDevice(device, call.name, call.where);
    return device;
  }
  default:
    call.fail(ErrorKind::device, fmt::format("the memory is on a device of DLPack type {}; copy it "
                                             "to the host first",
                                             static_cast<int>(given.device_type)));
  }
}

/// What a capsule made here holds.
struct Exported {
  DLManagedTensor managed{};
  TensorType type;
  std::shared_ptr<const runtime::Buffer> buffer;
  std::vector<int64_t> shape, strides;

  static void release(DLManagedTensor *managed) {
    delete static_cast<Exported *>(managed->manager_ctx);
  }
};

} // namespace

Tensor Tensor::fromDLPack(DLManagedTensor *managed, Where where) {
  Call call("fromDLPack", where);
  if (!managed)
    call.fail(ErrorKind::value, "the capsule is null");
  const DLTensor &given = managed->dl_tensor;
  if (managed->deleter == Exported::release) { // one of ours comes back
    const auto &own = *static_cast<const Exported *>(managed->manager_ctx);
    Tensor result = detail::realizedTensor(own.type, own.buffer);
    Exported::release(managed);
    return result;
  }
  const Device device = deviceOf(call, given.device);
  DType dtype = fromCode(call, given.dtype);
  if (given.ndim < 0 || given.ndim > maxRank || (given.ndim > 0 && !given.shape))
    call.fail(ErrorKind::value, fmt::format("a broken capsule: rank {}{}", given.ndim,
                                            given.shape ? "" : " without a shape"));
  for (int i = 0; i < given.ndim; ++i)
    if (given.shape[i] < 0)
      call.fail(ErrorKind::value, fmt::format("a broken capsule: dim {} is {}", i, given.shape[i]));
  std::span<const int64_t> sizes(given.shape, static_cast<std::size_t>(given.ndim));
  TensorType type = call.dims([&] { return TensorType(dtype, Shape(sizes), device); });
  int64_t numBytes = type.sizeBytes().value();
  if (!isDense(given))
    call.fail(ErrorKind::value,
              fmt::format("{} does not lie dense and row-major in memory; make it "
                          "contiguous first",
                          type.str()));
  const auto *data = static_cast<const std::byte *>(given.data);
  if (numBytes > 0) {
    if (!data)
      call.fail(ErrorKind::value, "a broken capsule: no data");
    data += given.byte_offset;
    if (reinterpret_cast<std::uintptr_t>(data) % sizeBytes(dtype))
      call.fail(ErrorKind::value, fmt::format("the memory of {} is not aligned to its elements; "
                                              "copy it first",
                                              type.str()));
  }
  auto release = [managed] {
    if (managed->deleter)
      managed->deleter(managed);
  };
  auto buffer = runtime::Buffer::foreign(data, static_cast<std::size_t>(numBytes), release, device);
  return detail::realizedTensor(std::move(type), std::move(buffer));
}

DLManagedTensor *Tensor::toDLPack(Where where) const {
  auto exported = std::make_unique<Exported>();
  exported->buffer = detail::contents(*this, "toDLPack", where);
  exported->type = type();
  for (const Dim &dim : shape())
    exported->shape.push_back(dim.value());
  exported->strides.resize(exported->shape.size());
  int64_t stride = 1;
  for (std::size_t i = exported->shape.size(); i-- > 0;) {
    exported->strides[i] = stride;
    stride *= exported->shape[i];
  }
  DLTensor &to = exported->managed.dl_tensor;
  // DLPack knows no read-only memory.
  if (runtime::cuda::DeviceContents *there = exported->buffer->onAccelerator()) {
    // A capsule names no stream: what it holds has been written when it is handed over.
    runtime::cuda::Stream &stream = there->device().stream();
    to.data = reinterpret_cast<void *>(there->address(stream));
    stream.synchronize("toDLPack");
    there->shareWithAll();
    to.device = {kDLCUDA, device().index()};
  } else {
    to.data = const_cast<std::byte *>(exported->buffer->data());
    to.device = {kDLCPU, 0};
  }
  to.ndim = static_cast<int>(exported->shape.size());
  to.dtype = toCode(dtype());
  to.shape = exported->shape.data();
  to.strides = exported->strides.data();
  to.byte_offset = 0;
  exported->managed.manager_ctx = exported.get();
  exported->managed.deleter = Exported::release;
  return &exported.release()->managed;
}

} // namespace kiln
