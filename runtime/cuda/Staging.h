#pragma once

#include "runtime/cuda/Gpu.h"

#include <array>
#include <cstddef>
#include <mutex>

namespace kiln::runtime::cuda {

/// Copies between ordinary host memory and one device, through a few blocks of pinned memory: the
/// device copies one while the host fills or empties the next.
class Staging {
public:
  explicit Staging(Gpu &gpu) : gpu(gpu) {}

  /// Enqueues a copy; `from` may be changed as soon as the call returns. Errors: DeviceError.
  void upload(Address to, const void *from, std::size_t sizeBytes, Stream &stream);
  /// Copies when all of `stream`'s work so far has been done, and waits for it. Errors:
  /// DeviceError.
  void download(void *to, Address from, std::size_t sizeBytes, Stream &stream);

  static constexpr std::size_t numChunks = 4, chunkBytes = std::size_t{4} << 20;

private:
  struct Chunk {
    void *memory = nullptr;
    EventHandle copied = nullptr; // when the device is done with it
    bool isBusy = false;
    Stream *unmarked = nullptr; // whose copy no event tells the end of: the driver refused
  };
  Chunk &next();
  /// Errors: DeviceError; it is busy still.
  void wait(Chunk &chunk);
  void mark(Chunk &chunk, Stream &stream);

  Gpu &gpu;
  std::mutex mutex;
  std::array<Chunk, numChunks> chunks;
  std::size_t turn = 0;
};

} // namespace kiln::runtime::cuda
