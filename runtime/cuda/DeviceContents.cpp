#include "runtime/cuda/DeviceContents.h"

#include "runtime/HostMemory.h"
#include "runtime/cuda/Staging.h"

#include <utility>

#include <fmt/format.h>

namespace kiln::runtime::cuda {

DeviceContents::DeviceContents(std::shared_ptr<DeviceContents> of, std::size_t begin,
                               std::size_t sizeBytes)
    : gpu(of->gpu), numBytes(sizeBytes), whole(std::move(of)), offset(begin) {
  if (whole->whole) { // a part of a part
    offset += whole->offset;
    whole = std::shared_ptr<DeviceContents>(whole->whole);
  }
}

DeviceContents::DeviceContents(Gpu &gpu, Address address, std::size_t sizeBytes,
                               std::function<void()> deleter)
    : gpu(gpu), numBytes(sizeBytes), foreign(address), deleter(std::move(deleter)),
      isOnDevice(true) {
  block.address = address;
}

DeviceContents::~DeviceContents() {
  dropMirror();
  if (deleter) {
    gpu.waitForStreams(block.users);
    deleter();
  } else if (block.address) {
    gpu.memory().give(block);
  }
}

void DeviceContents::takeMirror() {
  if (!mirror)
    mirror = static_cast<std::byte *>(allocateMemory(numBytes, Device::CPU()));
}

void DeviceContents::dropMirror() {
  if (mirror)
    releaseMemory(std::exchange(mirror, nullptr), numBytes, Device::CPU());
  isOnHost = false;
}

Address DeviceContents::addressLocked(Stream &stream) {
  if (!block.address)
    block = gpu.memory().take(numBytes, stream);
  if (!isOnDevice && isOnHost) {
    gpu.staging().upload(block.address, mirror, numBytes, stream);
    writer = &stream;
    ordered = stream.bit();
    isOnDevice = true;
    if (!isHandedOut)
      dropMirror();
  }
  if (writer && !(ordered & stream.bit())) {
    stream.waitFor(*writer);
    ordered |= stream.bit();
  }
  block.users |= stream.bit();
  return block.address;
}

Address DeviceContents::address(Stream &stream) {
  if (whole)
    return whole->address(stream) + offset;
  std::lock_guard lock(mutex);
  return addressLocked(stream);
}

void DeviceContents::writtenBy(Stream &stream) {
  std::lock_guard lock(mutex);
  writer = &stream;
  ordered = stream.bit();
  isOnDevice = true;
}

void DeviceContents::shareWithAll() {
  if (whole)
    return whole->shareWithAll();
  std::lock_guard lock(mutex);
  if (writer)
    writer->synchronize();
  writer = nullptr;
  block.users = ~uint32_t{0};
}

const std::byte *DeviceContents::host() {
  if (whole)
    return whole->host() + offset;
  std::lock_guard lock(mutex);
  if (!isOnHost) {
    takeMirror();
    if (isOnDevice && numBytes > 0) {
      Stream &stream = gpu.stream();
      gpu.staging().download(mirror, addressLocked(stream), numBytes, stream);
    }
    isOnHost = true;
  }
  isHandedOut = true;
  return mirror;
}

std::byte *DeviceContents::hostToFill() {
  std::lock_guard lock(mutex);
  takeMirror();
  isOnHost = true;
  isOnDevice = false;
  return mirror;
}

void DeviceContents::copyFrom(const void *from) {
  Stream &stream = gpu.stream();
  Address to = address(stream);
  if (numBytes > 0)
    gpu.staging().upload(to, from, numBytes, stream);
  writtenBy(stream);
}

void DeviceContents::copyFrom(DeviceContents &from) {
  if (&from.gpu != &gpu && !gpu.reaches(from.gpu))
    return copyFrom(from.host());
  Stream &stream = gpu.stream(), &source = from.gpu.stream();
  Address begin = from.address(source), to = address(stream);
  if (numBytes > 0) {
    stream.waitFor(source);
    gpu.enter();
    if (&from.gpu == &gpu)
      gpu.driver().copyOnDevice(to, begin, numBytes, stream.handle());
    else
      gpu.driver().copyToPeer(to, gpu.context(), begin, from.gpu.context(), numBytes,
                              stream.handle());
    source.waitFor(stream); // what `source` does next may reuse the memory
  }
  writtenBy(stream);
}

} // namespace kiln::runtime::cuda
