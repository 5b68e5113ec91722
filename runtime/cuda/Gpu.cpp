#include "runtime/cuda/Gpu.h"

#include "kiln/Error.h"
#include "runtime/Abi.h"
#include "runtime/Artifact.h"
#include "runtime/cuda/DeviceMemory.h"
#include "runtime/cuda/Staging.h"

#include <fmt/format.h>

namespace kiln {

int acceleratorCount() { return runtime::cuda::Gpu::count(); }

} // namespace kiln

namespace kiln::runtime::cuda {

Stream::Stream(Gpu &gpu, int index) : owner(gpu), number(index) {
  const Driver &driver = gpu.driver();
  gpu.enter();
  driver.createStream(&queue, CU_STREAM_NON_BLOCKING);
  if (Result code = driver.createEvent.attempt(&reached, CU_EVENT_DISABLE_TIMING)) {
    driver.destroyStream.attempt(queue);
    driver.createEvent.check(code);
  }
}

void Stream::waitFor(Stream &other) {
  if (&other == this)
    return;
  other.owner.enter();
  other.owner.driver().recordEvent(other.reached, other.queue);
  owner.enter();
  owner.driver().waitEvent(queue, other.reached, 0);
}

void Stream::synchronize(std::string_view context) const {
  owner.enter();
  owner.driver().synchronize.check(owner.driver().synchronize.attempt(queue), context);
}

KilnIndexRecord &Stream::indexRecord() {
  if (!record) {
    owner.enter();
    void *memory = nullptr;
    owner.driver().allocateHost(&memory, sizeof(KilnIndexRecord),
                                CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP);
    record = new (memory) KilnIndexRecord{};
  }
  return *record;
}

Address Stream::indexRecordAddress() {
  Address address = 0;
  owner.driver().hostAddress(&address, &indexRecord(), 0);
  return address;
}

namespace {

/// Devices live as long as the process: tensors with static storage duration end after any static.
struct Devices {
  std::mutex mutex;
  std::vector<Gpu *> gpus;
  int count = 0;
  std::string whyNone;

  static Devices &instance() {
    static Devices &devices = *[] {
      auto *found = new Devices;
      const Driver *driver = Driver::find();
      if (!driver) {
        found->whyNone = Driver::whyNot();
      } else if (Result code = driver->deviceCount.attempt(&found->count)) {
        found->count = 0;
        found->whyNone = "cuDeviceGetCount failed: " + driver->describe(code);
      } else if (found->count <= 0) {
        found->whyNone = "the driver knows no device";
      }
      found->gpus.resize(static_cast<std::size_t>(found->count));
      return found;
    }();
    return devices;
  }
};

} // namespace

int Gpu::count() { return Devices::instance().count; }

std::string Gpu::whyNone() { return Devices::instance().whyNone; }

Gpu &Gpu::get(Device device) {
  Devices &devices = Devices::instance();
  if (device.isCPU() || device.index() < 0 || device.index() >= devices.count)
    throw DeviceError(fmt::format("{} is not there: {} accelerator(s) found{}{}", device.str(),
                                  devices.count, devices.whyNone.empty() ? "" : ", ",
                                  devices.whyNone));
  std::lock_guard lock(devices.mutex);
  Gpu *&gpu = devices.gpus[static_cast<std::size_t>(device.index())];
  if (!gpu) // one that fails is tried again
    gpu = new Gpu(*Driver::find(), device.index());
  return *gpu;
}

std::vector<Gpu *> Gpu::used() {
  Devices &devices = Devices::instance();
  std::lock_guard lock(devices.mutex);
  std::vector<Gpu *> result;
  for (Gpu *gpu : devices.gpus)
    if (gpu)
      result.push_back(gpu);
  return result;
}

Gpu::Gpu(const Driver &api, int number) : api(api), number(number) {
  char text[256] = {};
  int major = 0, minor = 0;
  api.device(&id, number);
  api.deviceName(text, sizeof(text) - 1, id);
  api.deviceAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, id);
  api.deviceAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, id);
  api.deviceAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, id);
  api.deviceMemory(&memoryBytes, id);
  model = text;
  capability = major * 10 + minor;
  heap = std::make_unique<DeviceMemory>(*this);
  transfers = std::make_unique<Staging>(*this);
  api.retainContext(&primary, id); // the last that may fail
}

Gpu::~Gpu() { api.releaseContext.attempt(id); }

Stream &Gpu::streamNumber(int index) {
  std::atomic<Stream *> &place = streams[static_cast<std::size_t>(index)];
  if (Stream *stream = place.load(std::memory_order_acquire))
    return *stream;
  std::lock_guard lock(streamMutex);
  if (!place.load(std::memory_order_relaxed))
    place.store(new Stream(*this, index), std::memory_order_release);
  return *place.load(std::memory_order_relaxed);
}

Stream &Gpu::stream() {
  static std::atomic<unsigned> threads = 0;
  thread_local const auto own =
      static_cast<int>(threads.fetch_add(1, std::memory_order_relaxed) % maxStreams);
  return streamNumber(own);
}

void Gpu::synchronize() {
  for (int i = 0; i < maxStreams; ++i)
    if (Stream *stream = streamAt(i))
      stream->synchronize();
}

void Gpu::waitForStreams(uint32_t bits) noexcept {
  if (api.setContext.attempt(primary) != CUDA_SUCCESS)
    return;
  for (int i = 0; i < maxStreams; ++i)
    if (Stream *stream = streamAt(i); stream && (bits & stream->bit()))
      api.synchronize.attempt(stream->handle());
}

Stream &Gpu::captureStream() {
  if (!capture)
    capture = std::make_unique<Stream>(*this, maxStreams);
  return *capture;
}

bool Gpu::reaches(Gpu &other) {
  if (&other == this)
    return true;
  if (other.number >= static_cast<int>(peers.size()))
    return false;
  std::lock_guard lock(peerMutex);
  int8_t &state = peers[static_cast<std::size_t>(other.number)];
  if (state == 0) {
    int can = 0;
    api.canAccessPeer(&can, id, other.id);
    state = -1;
    if (can) {
      enter();
      Result code = api.enablePeerAccess.attempt(other.primary, 0);
      if (code != CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED)
        api.enablePeerAccess.check(code);
      state = 1;
    }
  }
  return state > 0;
}

std::string chipOf(const Gpu &gpu) {
  if (gpu.architecture() == 90) // code with what only these have
    return "sm_90a";
  // What the compiler knows, newest first; code for one runs on all that are newer.
  for (int known : {100, 90, 80})
    if (gpu.architecture() >= known)
      return fmt::format("sm_{}", known);
  throw DeviceError(fmt::format("{} ({}) has compute capability {}.{}: 8.0 is the least that is "
                                "supported",
                                gpu.device().str(), gpu.name(), gpu.architecture() / 10,
                                gpu.architecture() % 10));
}

void requestFor(Device device, CompileRequest &request) {
  if (device.isCPU())
    return;
  Gpu &gpu = Gpu::get(device);
  request.chip = chipOf(gpu);
  request.architectures = {request.chip.ends_with('a')
                               ? request.chip
                               : fmt::format("sm_{}", gpu.architecture())};
}

} // namespace kiln::runtime::cuda
