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

/// The contents of a tensor in host memory: shared by reference, filled once by whoever made it
/// and never changed afterwards. Carries the packed copies that kernels want of it, which live as
/// long as it does or as long as somebody holds them.
class Buffer : public std::enable_shared_from_this<Buffer> {
public:
  enum class Kind : uint8_t {
    owned,   // allocated here, 64-byte aligned, counted for its device
    mapped,  // a slice of a mapped file, which it keeps open; not counted
    foreign, // somebody else's memory, given back by a deleter; not counted
  };

  /// Uninitialised. Errors: DeviceError (see allocateMemory).
  static std::shared_ptr<Buffer> allocate(std::size_t sizeBytes, Device device = {});
  static std::shared_ptr<Buffer> copyOf(std::span<const std::byte> bytes, Device device = {});
  /// Errors: IoError if the slice does not lie in the file.
  static std::shared_ptr<Buffer> ofFile(std::shared_ptr<const MappedFile> file, std::size_t offset,
                                        std::size_t sizeBytes, Device device = {});
  /// `deleter` is called once, when the last reference is gone; it must not throw.
  static std::shared_ptr<Buffer> foreign(const void *data, std::size_t sizeBytes,
                                         std::function<void()> deleter, Device device = {});
  ~Buffer();
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  const std::byte *data() const { return contents; }
  template <class T> const T *as() const { return reinterpret_cast<const T *>(contents); }
  /// For filling an owned buffer before anybody else sees it; std::logic_error for other kinds.
  std::byte *mutableData();
  template <class T> T *mutableAs() { return reinterpret_cast<T *>(mutableData()); }

  std::size_t sizeBytes() const { return numBytes; }
  std::span<const std::byte> bytes() const { return {contents, numBytes}; }
  Device device() const { return place; }
  Kind kind() const { return bufferKind; }
  bool isAlignedFor(DType dtype) const {
    return reinterpret_cast<std::uintptr_t>(contents) % kiln::sizeBytes(dtype) == 0;
  }

  /// These contents, of a tensor of `type` (static), as `packing` wants them: this buffer itself
  /// where they lie right already, else a packed copy that is made once. Thread-safe; one thread
  /// packs, others that want the same wait for it.
  /// Errors: ValueError if the type's size is not the buffer's or its rank is below 2.
  std::shared_ptr<const Buffer> packed(const Packing &packing, const TensorType &type) const {
    return packed(packing, type, place);
  }
  /// The same on another CPU device, in a copy that is made once.
  std::shared_ptr<const Buffer> packed(const Packing &packing, const TensorType &type,
                                       Device device) const;

private:
  struct PackedCopy;
  Buffer(Kind kind, const std::byte *data, std::size_t sizeBytes, Device device);

  Kind bufferKind;
  Device place;
  const std::byte *contents;
  std::size_t numBytes;
  std::shared_ptr<const MappedFile> file; // mapped
  std::function<void()> deleter;          // foreign
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
