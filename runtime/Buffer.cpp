#include "runtime/Buffer.h"

#include "kiln/Error.h"
#include "runtime/HostMemory.h"
#include "runtime/MappedFile.h"
#include "runtime/Packing.h"
#include "runtime/cuda/DeviceContents.h"

#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

namespace kiln::runtime {

/// `matrices` x [rows, columns] of elements of `elementBytes`: what decides a packed copy.
struct Buffer::PackedCopy {
  Packing packing;
  MatrixShape shape;
  std::shared_ptr<const Buffer> buffer;
};

Buffer::Buffer(Kind kind, const std::byte *data, std::size_t sizeBytes, Device device)
    : bufferKind(kind), place(device), contents(data), numBytes(sizeBytes) {}

Buffer::Buffer(std::shared_ptr<cuda::DeviceContents> contentsOfDevice, Device device)
    : bufferKind(Kind::remote), place(device), contents(nullptr),
      numBytes(contentsOfDevice->sizeBytes()), remote(std::move(contentsOfDevice)) {}

std::shared_ptr<Buffer> Buffer::allocate(std::size_t sizeBytes, Device device) {
  if (!device.isCPU())
    return std::shared_ptr<Buffer>(new Buffer(
        std::make_shared<cuda::DeviceContents>(cuda::Gpu::get(device), sizeBytes), device));
  auto *block = static_cast<std::byte *>(allocateMemory(sizeBytes, device));
  try {
    return std::shared_ptr<Buffer>(new Buffer(Kind::owned, block, sizeBytes, device));
  } catch (...) {
    releaseMemory(block, sizeBytes, device);
    throw;
  }
}

std::shared_ptr<Buffer> Buffer::copyOf(std::span<const std::byte> bytes, Device device) {
  std::shared_ptr<Buffer> buffer = allocate(bytes.size(), device);
  if (buffer->remote)
    buffer->remote->copyFrom(bytes.data());
  else if (!bytes.empty())
    std::memcpy(buffer->mutableData(), bytes.data(), bytes.size());
  return buffer;
}

std::shared_ptr<Buffer> Buffer::copyOf(const Buffer &buffer, Device device) {
  if (!buffer.remote || device.isCPU())
    return copyOf(buffer.bytes(), device);
  std::shared_ptr<Buffer> copy = allocate(buffer.sizeBytes(), device);
  copy->remote->copyFrom(*buffer.remote);
  return copy;
}

std::shared_ptr<Buffer> Buffer::partOf(std::shared_ptr<const Buffer> whole, std::size_t offset,
                                       std::size_t sizeBytes) {
  if (whole->remote)
    return std::shared_ptr<Buffer>(new Buffer(
        std::make_shared<cuda::DeviceContents>(whole->remote, offset, sizeBytes), whole->device()));
  const std::byte *begin = whole->data() + offset;
  Device device = whole->device();
  return foreign(begin, sizeBytes, [whole = std::move(whole)] {}, device);
}

std::shared_ptr<Buffer> Buffer::ofFile(std::shared_ptr<const MappedFile> file, std::size_t offset,
                                       std::size_t sizeBytes, Device device) {
  std::span<const std::byte> bytes = file->bytes();
  if (offset > bytes.size() || sizeBytes > bytes.size() - offset)
    throw IoError(fmt::format("{}: bytes {} to {} are beyond its end at {}", file->path(), offset,
                              offset + sizeBytes, bytes.size()));
  std::shared_ptr<Buffer> buffer(
      new Buffer(Kind::mapped, bytes.data() + offset, sizeBytes, device));
  buffer->file = std::move(file);
  return buffer;
}

std::shared_ptr<Buffer> Buffer::foreign(const void *data, std::size_t sizeBytes,
                                        std::function<void()> deleter, Device device) {
  if (!device.isCPU())
    return std::shared_ptr<Buffer>(
        new Buffer(std::make_shared<cuda::DeviceContents>(cuda::Gpu::get(device),
                                                          reinterpret_cast<cuda::Address>(data),
                                                          sizeBytes, std::move(deleter)),
                   device));
  std::shared_ptr<Buffer> buffer(
      new Buffer(Kind::foreign, static_cast<const std::byte *>(data), sizeBytes, device));
  buffer->deleter = std::move(deleter);
  return buffer;
}

Buffer::~Buffer() {
  if (bufferKind == Kind::owned)
    releaseMemory(const_cast<std::byte *>(contents), numBytes, place);
  if (deleter)
    deleter();
}

const std::byte *Buffer::remoteData() const { return remote->host(); }

bool Buffer::isAlignedRemotely() const { return remote->isAligned(); }

std::byte *Buffer::mutableData() {
  if (remote)
    return remote->hostToFill();
  if (bufferKind != Kind::owned)
    throw std::logic_error("Buffer::mutableData: only owned buffers may be filled");
  return const_cast<std::byte *>(contents);
}

std::shared_ptr<const Buffer> Buffer::packed(const Packing &packing, const TensorType &type,
                                             Device device) const {
  bool isDense = packing.kind == Packing::Kind::none;
  if (isDense && isAlignedFor(type.dtype) && device == place)
    return shared_from_this();
  MatrixShape shape = matrixShape(packing, type);
  if (shape.sizeBytes() != numBytes)
    throw ValueError(fmt::format("a tensor {} takes {} bytes, its buffer has {}", type.str(),
                                 shape.sizeBytes(), numBytes));
  std::lock_guard lock(packingMutex);
  for (const PackedCopy &copy : packedCopies)
    if (copy.packing == packing && copy.shape == shape && copy.buffer->device() == device)
      return copy.buffer;
  std::shared_ptr<Buffer> copy;
  if (isDense && (remote || !device.isCPU())) {
    copy = copyOf(*this, device);
  } else {
    copy = allocate(packedSizeBytes(packing, shape), device);
    // Not aligned: a slice of an odd file.
    std::shared_ptr<Buffer> aligned;
    if (!remote && !isDense && !isAlignedFor(type.dtype))
      aligned = copyOf(bytes());
    pack(packing, shape, aligned ? aligned->data() : data(), copy->mutableData());
  }
  if (file)
    file->dropPages(bytes());
  packedCopies.push_back({packing, shape, copy});
  return copy;
}

} // namespace kiln::runtime
