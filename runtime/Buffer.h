#pragma once

#include "kiln/Shape.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace kiln::runtime {

class MappedFile;
struct Packing;
namespace cuda {
class DeviceContents;
class Stream;
} // namespace cuda

/// The contents of a tensor: shared by reference, filled once by whoever made it and never changed
/// afterwards. Carries the packed copies that kernels want of it, which live as long as it does or
/// as long as somebody holds them. Those of an accelerator are in its memory, in host memory, or in
/// both: who asks for one of them causes the copy.
class Buffer : public std::enable_shared_from_this<Buffer> {
public:
  enum class Kind : uint8_t {
    owned,   // allocated here, 64-byte aligned, counted for its device
    remote,  // of an accelerator, counted for it; a copy in host memory for CPU(0)
    mapped,  // a slice of a mapped file, which it keeps open; not counted
    foreign, // somebody else's memory, given back by a deleter; not counted
  };

  /// Uninitialised. Errors: DeviceError (see allocateMemory).
  static std::shared_ptr<Buffer> allocate(std::size_t sizeBytes, Device device = {});
  static std::shared_ptr<Buffer> copyOf(std::span<const std::byte> bytes, Device device = {});
  /// On another device, or the same: copied once, enqueued where an accelerator takes part.
  static std::shared_ptr<Buffer> copyOf(const Buffer &buffer, Device device);
  /// `sizeBytes` bytes of `whole`, which lives as long. They lie in it.
  static std::shared_ptr<Buffer> partOf(std::shared_ptr<const Buffer> whole, std::size_t offset,
                                        std::size_t sizeBytes);
  /// Errors: IoError if the slice does not lie in the file.
  static std::shared_ptr<Buffer> ofFile(std::shared_ptr<const MappedFile> file, std::size_t offset,
                                        std::size_t sizeBytes, Device device = {});
  /// `deleter` is called once, when the last reference is gone; it must not throw. On an
  /// accelerator `data` is an address there, whose contents are in place, and `deleter` is called
  /// when the device has done with them; the kind is `remote`. Errors: DeviceError.
  static std::shared_ptr<Buffer> foreign(const void *data, std::size_t sizeBytes,
                                         std::function<void()> deleter, Device device = {});
  ~Buffer();
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  /// In host memory. On an accelerator: copied to it, once; errors: DeviceError.
  const std::byte *data() const { return remote ? remoteData() : contents; }
  template <class T> const T *as() const { return reinterpret_cast<const T *>(data()); }
  /// For filling an owned or remote buffer before anybody else sees it; std::logic_error for other
  /// kinds.
  std::byte *mutableData();
  template <class T> T *mutableAs() { return reinterpret_cast<T *>(mutableData()); }

  std::size_t sizeBytes() const { return numBytes; }
  std::span<const std::byte> bytes() const { return {data(), numBytes}; }
  /// Null on a CPU.
  cuda::DeviceContents *onAccelerator() const { return remote.get(); }
  Device device() const { return place; }
  Kind kind() const { return bufferKind; }
  bool isAlignedFor(DType dtype) const {
    return remote ? isAlignedRemotely()
                  : reinterpret_cast<std::uintptr_t>(contents) % kiln::sizeBytes(dtype) == 0;
  }

  /// These contents, of a tensor of `type` (static), as `packing` wants them: this buffer itself
  /// where they lie right already, else a packed copy that is made once. Thread-safe; one thread
  /// packs, others that want the same wait for it.
  /// Errors: ValueError if the type's size is not the buffer's or its rank is below 2.
  std::shared_ptr<const Buffer> packed(const Packing &packing, const TensorType &type) const {
    return packed(packing, type, place);
  }
  /// The same on another device, in a copy that is made once.
  std::shared_ptr<const Buffer> packed(const Packing &packing, const TensorType &type,
                                       Device device) const;

private:
  struct PackedCopy;
  Buffer(Kind kind, const std::byte *data, std::size_t sizeBytes, Device device);
  Buffer(std::shared_ptr<cuda::DeviceContents> remote, Device device);
  const std::byte *remoteData() const;
  bool isAlignedRemotely() const;

  Kind bufferKind;
  Device place;
  const std::byte *contents;
  std::size_t numBytes;
  std::shared_ptr<const MappedFile> file; // mapped
  std::function<void()> deleter;          // foreign
  std::shared_ptr<cuda::DeviceContents> remote;
  mutable std::mutex packingMutex;
  mutable std::vector<PackedCopy> packedCopies;
};

/// A tensor with contents: what an Executable takes and gives. The type's shape is static, and its
/// contents are dense and row-major.
struct TensorValue {
  TensorType type;
  std::shared_ptr<const Buffer> buffer;
};

} // namespace kiln::runtime
