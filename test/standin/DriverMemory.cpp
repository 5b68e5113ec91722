#include "standin/Call.h"

#include <cstdlib>
#include <cstring>

using namespace kiln::runtime::cuda;
using namespace standin;

namespace {

/// Device memory of the stream's device, or null with a note.
std::byte *deviceBytes(State &state, int device, Address address, std::size_t bytes,
                       const char *what) {
  std::byte *found = state.findOn(device, address, bytes);
  if (!found)
    state.wrong(std::string(what) + ": " + std::to_string(bytes) + " bytes at " +
                std::to_string(address) + " are of no allocation");
  return found;
}

} // namespace

extern "C" {

Result cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
  ENTER(cuMemGetInfo_v2);
  NEED_CONTEXT();
  *total = state.machine.memoryBytes;
  *free = *total - state.memoryOf(call.device()).usedBytes();
  return CUDA_SUCCESS;
}

Result cuMemAlloc_v2(Address *address, std::size_t bytes) {
  ENTER(cuMemAlloc_v2);
  NEED_CONTEXT();
  standin::DeviceMemory &memory = state.memoryOf(call.device());
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (bytes > state.machine.memoryBytes || memory.usedBytes() > state.machine.memoryBytes - bytes)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *address = memory.allocate(bytes);
  return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

Result cuMemFree_v2(Address address) {
  ENTER(cuMemFree_v2);
  NEED_CONTEXT();
  // The driver waits for the device's work; what still uses the memory here would be a mistake on
  // a stream that nobody waited for.
  NEED(state.memoryOf(call.device()).release(address), "memory is freed that is not there");
  return CUDA_SUCCESS;
}

Result cuMemHostAlloc(void **memory, std::size_t bytes, unsigned) {
  ENTER(cuMemHostAlloc);
  NEED_CONTEXT();
  *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  std::memset(*memory, 0xFF, bytes);
  state.pinned[reinterpret_cast<uint64_t>(*memory)] = bytes;
  return CUDA_SUCCESS;
}

Result cuMemFreeHost(void *memory) {
  ENTER(cuMemFreeHost);
  NEED(state.pinned.erase(reinterpret_cast<uint64_t>(memory)), "host memory that is not pinned");
  std::free(memory);
  return CUDA_SUCCESS;
}

Result cuMemHostGetDevicePointer_v2(Address *address, void *memory, unsigned) {
  ENTER(cuMemHostGetDevicePointer_v2);
  *address = reinterpret_cast<Address>(memory);
  NEED(state.pinned.contains(*address), "host memory that is not pinned");
  return CUDA_SUCCESS;
}

Result cuMemcpyHtoDAsync_v2(Address to, const void *from, std::size_t bytes, StreamHandle stream) {
  ENTER(cuMemcpyHtoDAsync_v2);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  int device = stream->device;
  Work work{"to device " + std::to_string(bytes) + " bytes", nullptr, nullptr, 0, nullptr};
  if (state.findOn(device, reinterpret_cast<uint64_t>(from), bytes)) { // pinned: read later
    work.run = [&state, device, to, from, bytes] {
      std::byte *place = deviceBytes(state, device, to, bytes, "cuMemcpyHtoDAsync");
      if (!place)
        return errorIllegalAddress;
      std::memcpy(place, from, bytes);
      return CUDA_SUCCESS;
    };
  } else {
    std::vector<std::byte> copy(static_cast<const std::byte *>(from),
                                static_cast<const std::byte *>(from) + bytes);
    work.run = [&state, device, to, copy = std::move(copy)] {
      std::byte *place = deviceBytes(state, device, to, copy.size(), "cuMemcpyHtoDAsync");
      if (!place)
        return errorIllegalAddress;
      std::memcpy(place, copy.data(), copy.size());
      return CUDA_SUCCESS;
    };
  }
  state.put(*stream, std::move(work));
  return CUDA_SUCCESS;
}

Result cuMemcpyDtoHAsync_v2(void *to, Address from, std::size_t bytes, StreamHandle stream) {
  ENTER(cuMemcpyDtoHAsync_v2);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  int device = stream->device;
  state.put(*stream, {"to host " + std::to_string(bytes) + " bytes",
                      [&state, device, to, from, bytes] {
                        std::byte *place =
                            deviceBytes(state, device, from, bytes, "cuMemcpyDtoHAsync");
                        if (!place)
                          return errorIllegalAddress;
                        std::memcpy(to, place, bytes);
                        return CUDA_SUCCESS;
                      },
                      nullptr, 0, nullptr});
  return CUDA_SUCCESS;
}

Result cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, StreamHandle stream) {
  ENTER(cuMemcpyDtoDAsync_v2);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  int device = stream->device;
  static const char kind = 0;
  state.put(*stream, {"on device " + std::to_string(bytes) + " bytes",
                      [&state, device, to, from, bytes] {
                        std::byte *a = deviceBytes(state, device, to, bytes, "cuMemcpyDtoDAsync");
                        std::byte *b = deviceBytes(state, device, from, bytes, "cuMemcpyDtoDAsync");
                        if (!a || !b)
                          return errorIllegalAddress;
                        std::memmove(a, b, bytes);
                        return CUDA_SUCCESS;
                      },
                      nullptr, 0, &kind});
  return CUDA_SUCCESS;
}

Result cuMemcpyPeerAsync(Address to, Context toContext, Address from, Context fromContext,
                         std::size_t bytes, StreamHandle stream) {
  ENTER(cuMemcpyPeerAsync);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  int toDevice = toContext->device, fromDevice = fromContext->device;
  state.put(*stream,
            {"from gpu:" + std::to_string(fromDevice) + " " + std::to_string(bytes) + " bytes",
             [&state, toDevice, fromDevice, to, from, bytes] {
               std::byte *a = deviceBytes(state, toDevice, to, bytes, "cuMemcpyPeerAsync");
               std::byte *b = deviceBytes(state, fromDevice, from, bytes, "cuMemcpyPeerAsync");
               if (!a || !b)
                 return errorIllegalAddress;
               std::memcpy(a, b, bytes);
               return CUDA_SUCCESS;
             },
             nullptr, 0, nullptr});
  return CUDA_SUCCESS;
}

Result cuMemsetD8Async(Address to, unsigned char value, std::size_t bytes, StreamHandle stream) {
  ENTER(cuMemsetD8Async);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  int device = stream->device;
  state.put(*stream, {"fill " + std::to_string(bytes) + " bytes",
                      [&state, device, to, value, bytes] {
                        std::byte *place = deviceBytes(state, device, to, bytes, "cuMemsetD8Async");
                        if (!place)
                          return errorIllegalAddress;
                        std::memset(place, value, bytes);
                        return CUDA_SUCCESS;
                      },
                      nullptr, 0, nullptr});
  return CUDA_SUCCESS;
}

} // extern "C"
