#include "standin/State.h"

#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

namespace standin {

DeviceMemory::DeviceMemory(int) {
  // The addresses are taken, and nobody may use them but through `find`.
  void *addresses =
      mmap(nullptr, rangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  void *memory = mmap(nullptr, rangeBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (addresses == MAP_FAILED || memory == MAP_FAILED)
    throw std::bad_alloc();
  base = reinterpret_cast<uint64_t>(addresses);
  contents = static_cast<std::byte *>(memory);
}

uint64_t DeviceMemory::allocate(std::size_t sizeBytes) {
  std::size_t place = (end + alignment - 1) / alignment * alignment;
  if (place + sizeBytes + guardBytes > rangeBytes)
    return 0;
  end = place + sizeBytes + guardBytes; // addresses are not given out twice
  sizes[base + place] = sizeBytes;
  used += sizeBytes;
  std::memset(contents + place, 0xFF, sizeBytes); // NaN
  return base + place;
}

bool DeviceMemory::release(uint64_t address) {
  auto found = sizes.find(address);
  if (found == sizes.end())
    return false;
  used -= found->second;
  constexpr uint64_t page = 4096;
  uint64_t first = (address - base + page - 1) / page * page;
  uint64_t last = (address - base + found->second) / page * page;
  if (last > first)
    madvise(contents + first, last - first, MADV_DONTNEED);
  sizes.erase(found);
  return true;
}

std::byte *DeviceMemory::find(uint64_t address, std::size_t sizeBytes) {
  auto found = sizes.upper_bound(address);
  if (found == sizes.begin())
    return nullptr;
  --found;
  uint64_t offset = address - found->first;
  if (offset > found->second || sizeBytes > found->second - offset)
    return nullptr;
  return contents + (address - base);
}

static Machine fromEnvironment() {
  auto number = [](const char *name, long otherwise, std::size_t skipped = 0) {
    const char *text = std::getenv(name);
    return text && std::strlen(text) > skipped ? std::strtol(text + skipped, nullptr, 10)
                                               : otherwise;
  };
  Machine machine;
  long chip = number("KILN_STANDIN_CHIP", machine.major * 10 + machine.minor, std::strlen("sm_"));
  machine.major = static_cast<int>(chip / 10);
  machine.minor = static_cast<int>(chip % 10);
  machine.devices = static_cast<int>(number("KILN_STANDIN_DEVICES", machine.devices));
  machine.memoryBytes = static_cast<std::size_t>(number("KILN_STANDIN_MEMORY", 256)) << 20;
  machine.executes = number("KILN_STANDIN_EXECUTE", 1) != 0;
  return machine;
}

State &State::instance() {
  static State &state = *[] {
    auto *made = new State;
    made->machine = fromEnvironment();
    return made;
  }();
  return state;
}

DeviceMemory &State::memoryOf(int device) {
  std::unique_ptr<DeviceMemory> &memory = memories[device];
  if (!memory)
    memory = std::make_unique<DeviceMemory>(device);
  return *memory;
}

std::byte *State::find(uint64_t address, std::size_t sizeBytes) {
  return findOn(runningDevice, address, sizeBytes);
}

std::byte *State::findOn(int device, uint64_t address, std::size_t sizeBytes) {
  for (auto &[owner, memory] : memories)
    if (memory->owns(address)) {
      if (owner != device && !peers.contains({device, owner})) {
        wrong("gpu:" + std::to_string(device) +
              " reaches for memory of gpu:" + std::to_string(owner) + " without peer access");
        return nullptr;
      }
      return memory->find(address, sizeBytes);
    }
  auto found = pinned.upper_bound(address);
  if (found == pinned.begin())
    return nullptr;
  --found;
  uint64_t offset = address - found->first;
  if (offset > found->second || sizeBytes > found->second - offset)
    return nullptr;
  return reinterpret_cast<std::byte *>(address);
}

int State::enter(const char *name) {
  ++callCounts[name];
  auto failure = failures.find(name);
  if (failure == failures.end())
    return stickyError;
  if (--failure->second.after > 0)
    return stickyError;
  int code = failure->second.code;
  if (--failure->second.repeats <= 0)
    failures.erase(failure);
  return code;
}

void State::put(CUstream_st &stream, Work work) {
  if (stream.capture) {
    stream.capture->works.push_back(std::move(work));
    return;
  }
  stream.queue.push_back(std::move(work));
  ++stream.enqueued;
}

int State::runTo(CUstream_st &stream, uint64_t position) {
  while (stream.executed < position) {
    Work work = std::move(stream.queue.front());
    stream.queue.pop_front();
    ++stream.executed;
    if (work.waitsFor) {
      if (streams.contains(work.waitsFor))
        runTo(*work.waitsFor, work.position);
      continue;
    }
    if (!work.name.empty())
      log.push_back("gpu:" + std::to_string(stream.device) + " stream " +
                    std::to_string(stream.number) + ": " + work.name);
    if (stickyError)
      continue;
    runningDevice = stream.device;
    if (int code = work.run(); code != 0)
      stickyError = code; // as the driver: all calls fail from now on
  }
  return stickyError;
}

int State::runAll(int device) {
  for (CUstream_st *stream : streams)
    if (stream->device == device)
      runTo(*stream, stream->enqueued);
  return stickyError;
}

Machine &machine() { return State::instance().machine; }

void failCall(const std::string &name, int nth, int code, int repeats) {
  std::lock_guard lock(State::instance().mutex);
  State::instance().failures[name] = {nth, code, repeats};
}

void forgive() {
  std::lock_guard lock(State::instance().mutex);
  State::instance().failures.clear();
  State::instance().stickyError = 0;
  State::instance().wrongs.clear();
}

int64_t calls(const std::string &name) {
  std::lock_guard lock(State::instance().mutex);
  auto found = State::instance().callCounts.find(name);
  return found == State::instance().callCounts.end() ? 0 : found->second;
}

std::map<std::string, int64_t> allCalls() {
  std::lock_guard lock(State::instance().mutex);
  return State::instance().callCounts;
}

std::vector<std::string> executed() {
  std::lock_guard lock(State::instance().mutex);
  return State::instance().log;
}

void clearLog() {
  std::lock_guard lock(State::instance().mutex);
  State::instance().log.clear();
}

std::vector<std::string> violations() {
  std::lock_guard lock(State::instance().mutex);
  return State::instance().wrongs;
}

Live live() {
  State &state = State::instance();
  std::lock_guard lock(state.mutex);
  Live live;
  for (auto &[device, memory] : state.memories) {
    live.allocations += memory->count();
    live.allocatedBytes += static_cast<int64_t>(memory->usedBytes());
  }
  live.hostAllocations = static_cast<int64_t>(state.pinned.size());
  live.streams = static_cast<int64_t>(state.streams.size());
  live.events = static_cast<int64_t>(state.events.size());
  live.modules = static_cast<int64_t>(state.modules.size());
  live.graphs = static_cast<int64_t>(state.graphs.size());
  live.graphExecs = static_cast<int64_t>(state.graphExecs.size());
  return live;
}

std::vector<std::byte> peek(uint64_t address, std::size_t sizeBytes) {
  State &state = State::instance();
  std::lock_guard lock(state.mutex);
  for (auto &[device, memory] : state.memories)
    if (std::byte *found = memory->find(address, sizeBytes))
      return {found, found + sizeBytes};
  return {};
}

} // namespace standin
