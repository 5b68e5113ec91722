#pragma once

#include "runtime/cuda/DeviceMemory.h"
#include "runtime/cuda/Gpu.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

namespace kiln::runtime::cuda {

/// The contents of a buffer of an accelerator: memory of the device, host memory with the same
/// bytes, or both. Each is made of the other when it is first wanted. Thread-safe.
class DeviceContents {
public:
  /// Of contents that nobody has written yet; takes no memory.
  DeviceContents(Gpu &gpu, std::size_t sizeBytes) : gpu(gpu), numBytes(sizeBytes) {}
  /// Part of what `whole` holds, which lives as long.
  DeviceContents(std::shared_ptr<DeviceContents> whole, std::size_t offset, std::size_t sizeBytes);
  /// Of memory that is somebody else's, with its contents in place for all streams. `deleter` is
  /// called once, when nobody holds them any more and the device has done with them.
  DeviceContents(Gpu &gpu, Address address, std::size_t sizeBytes, std::function<void()> deleter);
  ~DeviceContents();
  DeviceContents(const DeviceContents &) = delete;
  DeviceContents &operator=(const DeviceContents &) = delete;

  std::size_t sizeBytes() const { return numBytes; }
  Gpu &device() const { return gpu; }

  /// Where the contents are, or will be, for work that is put into `stream` next. Errors:
  /// DeviceError.
  Address address(Stream &stream);
  /// What `stream` does next writes the contents.
  void writtenBy(Stream &stream);
  /// From now on any stream may read the address, without asking again; waits for the writer.
  void shareWithAll();
  /// The contents in host memory; waits until they are made. Valid as long as this object.
  /// Errors: DeviceError, also of the work that makes them.
  const std::byte *host();
  /// Host memory to fill, before anybody else sees the contents.
  std::byte *hostToFill();
  /// Copies contents of any device, or of the host, here. `from` may go when the call returns.
  void copyFrom(DeviceContents &from);
  void copyFrom(const void *from);
  /// Whether kernels may be given the address.
  bool isAligned() const {
    return ((whole ? whole->foreign : foreign) + offset) % kernelAlignment == 0;
  }
  static constexpr std::size_t kernelAlignment = 16;

private:
  void takeMirror();
  void dropMirror();
  Address addressLocked(Stream &stream);

  Gpu &gpu;
  const std::size_t numBytes;
  std::shared_ptr<DeviceContents> whole; // of a part
  std::size_t offset = 0;
  const Address foreign = 0; // where somebody else's memory is; blocks of ours are aligned
  std::function<void()> deleter;

  std::mutex mutex;
  DeviceMemory::Block block; // of address 0 until it is wanted
  bool isOnDevice = false;   // the block has the contents
  Stream *writer = nullptr;  // who wrote them, until all may read
  uint32_t ordered = 0;      // streams that come after the writer
  std::byte *mirror = nullptr;
  bool isOnHost = false; // the mirror has the contents
  bool isHandedOut = false;
};

} // namespace kiln::runtime::cuda
