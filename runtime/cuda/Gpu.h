#pragma once

#include "kiln/Device.h"
#include "runtime/cuda/Driver.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

struct KilnIndexRecord;
namespace kiln::runtime {
struct CompileRequest;
} // namespace kiln::runtime

/// NVIDIA's accelerators: kiln::Accelerator(i) is the driver's device i.
namespace kiln::runtime::cuda {

class DeviceMemory;
class Gpu;
class Staging;

/// A queue of a device's work. What one thread does on a device is in order in one stream.
class Stream {
public:
  Stream(Gpu &gpu, int index);
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  Gpu &gpu() const { return owner; }
  /// Below Gpu::maxStreams.
  int index() const { return number; }
  uint32_t bit() const { return uint32_t{1} << number; }
  StreamHandle handle() const { return queue; }

  /// What comes after it here runs after all that is in `other`, of any device, by now.
  void waitFor(Stream &other);
  /// Returns when all work has been done. Errors: DeviceError, also of work done long before.
  void synchronize(std::string_view context = {}) const;

  /// Where kernels report bad indices, in host memory that the device sees; a call that looks at it
  /// holds `recordMutex` from before its first kernel until it has looked.
  KilnIndexRecord &indexRecord();
  Address indexRecordAddress();
  std::mutex recordMutex;

private:
  Gpu &owner;
  const int number;
  StreamHandle queue = nullptr;
  EventHandle reached = nullptr;
  KilnIndexRecord *record = nullptr;
};

class Gpu {
public:
  /// 0 where there is no driver or no device.
  static int count();
  /// Why there is none.
  static std::string whyNone();
  /// Errors: DeviceError if it is not there or cannot be used.
  static Gpu &get(Device device);
  /// Those that have been used.
  static std::vector<Gpu *> used();
  ~Gpu();
  Gpu(const Gpu &) = delete;
  Gpu &operator=(const Gpu &) = delete;

  static constexpr int maxStreams = 16; // beyond it threads share them

  Device device() const { return Device::GPU(number); }
  const std::string &name() const { return model; }
  /// 90 for compute capability 9.0.
  int architecture() const { return capability; }
  int multiprocessors() const { return processors; }
  std::size_t totalBytes() const { return memoryBytes; }
  const Driver &driver() const { return api; }
  Context context() const { return primary; }

  /// Makes this device's context the calling thread's: before any other call of the driver.
  void enter() const { api.setContext(primary); }
  /// Of the calling thread.
  Stream &stream();
  /// Those that were ever used.
  Stream *streamAt(int index) const {
    return streams[static_cast<std::size_t>(index)].load(std::memory_order_acquire);
  }
  void synchronize();
  /// Waits for those of these streams (Stream::bit) that were ever used; for errors there is the
  /// next call that waits.
  void waitForStreams(uint32_t bits) noexcept;
  DeviceMemory &memory() { return *heap; }
  Staging &staging() { return *transfers; }
  /// Whether copies from `other` need not go through the host.
  bool reaches(Gpu &other);
  /// A stream that nothing runs on, to record graphs with; its user holds `captureMutex`.
  Stream &captureStream();
  std::mutex captureMutex;

private:
  Gpu(const Driver &api, int number);
  Stream &streamNumber(int index);

  const Driver &api;
  const int number;
  DeviceId id = 0;
  Context primary = nullptr;
  std::string model;
  int capability = 0, processors = 0;
  std::size_t memoryBytes = 0;
  std::array<std::atomic<Stream *>, maxStreams> streams = {};
  std::mutex streamMutex;
  std::unique_ptr<Stream> capture;
  std::unique_ptr<DeviceMemory> heap;
  std::unique_ptr<Staging> transfers;
  std::mutex peerMutex;
  std::array<int8_t, 64> peers = {}; // 0: not asked, 1: reached, -1: not
};

/// The `chip` of CompileRequest for code of that device: of what the compiler knows the newest that
/// runs there. Errors: DeviceError for one that is older
/// than compute capability 8.0.
std::string chipOf(const Gpu &gpu);

/// Asks for code that runs on `device`; nothing where that is a CPU. Errors: DeviceError.
void requestFor(Device device, CompileRequest &request);

} // namespace kiln::runtime::cuda
