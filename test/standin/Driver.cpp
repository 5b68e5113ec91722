#include "runtime/cuda/Driver.h"
#include "standin/State.h"

#include <cstdlib>
#include <cstring>

/// The driver's functions, as runtime/cuda/Driver.h declares them.
using namespace kiln::runtime::cuda;
using standin::State;
using standin::Work;

namespace {

constexpr int errorInvalidContext = 201, errorInvalidHandle = 400, errorNotFound = 500,
              errorIllegalAddress = 700, errorLaunchFailed = 719, errorInvalidPtx = 218,
              errorUpdateFailure = 910, errorCaptureUnsupported = 900, errorNoBinary = 209;

thread_local CUctx_st *currentContext = nullptr;

struct Call {
  explicit Call(const char *name) : lock(State::instance().mutex), state(State::instance()) {
    code = state.enter(name);
  }
  std::lock_guard<std::recursive_mutex> lock;
  State &state;
  int code;
  int device() const { return currentContext ? currentContext->device : -1; }
};

#define ENTER(name)                                                                                \
  Call call(#name);                                                                                \
  if (call.code)                                                                                   \
    return call.code;                                                                              \
  [[maybe_unused]] State &state = call.state
#define NEED_CONTEXT()                                                                             \
  if (!currentContext)                                                                             \
  return errorInvalidContext
#define NEED(condition, what)                                                                      \
  if (!(condition)) {                                                                              \
    state.wrong(what);                                                                             \
    return errorInvalidHandle;                                                                     \
  }

/// Device memory of the stream's device, or null with a note.
std::byte *deviceBytes(State &state, int device, Address address, std::size_t bytes,
                       const char *what) {
  std::byte *found = state.findOn(device, address, bytes);
  if (!found)
    state.wrong(std::string(what) + ": " + std::to_string(bytes) + " bytes at " +
                std::to_string(address) + " are of no allocation");
  return found;
}

struct ErrorName {
  int code;
  const char *name, *text;
};
constexpr ErrorName errorNames[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {600, "CUDA_ERROR_NOT_READY", "device not ready"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
};

int launchPtx(State &state, CUfunc_st &function, const standin::ptx::Launch &launch) {
  try {
    standin::ptx::run(*function.module->ptx, *function.ptx, launch, state);
    return CUDA_SUCCESS;
  } catch (const standin::ptx::PtxError &error) {
    state.wrong(error.what());
    std::string text = error.what();
    return text.find("of no allocation") != text.npos ? errorIllegalAddress : errorLaunchFailed;
  }
}

} // namespace

extern "C" {

Result cuInit(unsigned) {
  ENTER(cuInit);
  return CUDA_SUCCESS;
}

Result cuDriverGetVersion(int *version) {
  ENTER(cuDriverGetVersion);
  *version = 13000;
  return CUDA_SUCCESS;
}

Result cuGetErrorName(Result code, const char **name) {
  for (const ErrorName &known : errorNames)
    if (known.code == code) {
      *name = known.name;
      return CUDA_SUCCESS;
    }
  *name = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

Result cuGetErrorString(Result code, const char **text) {
  for (const ErrorName &known : errorNames)
    if (known.code == code) {
      *text = known.text;
      return CUDA_SUCCESS;
    }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

Result cuDeviceGetCount(int *count) {
  ENTER(cuDeviceGetCount);
  *count = state.machine.devices;
  return CUDA_SUCCESS;
}

Result cuDeviceGet(DeviceId *device, int ordinal) {
  ENTER(cuDeviceGet);
  if (ordinal < 0 || ordinal >= state.machine.devices)
    return 101;
  *device = ordinal;
  return CUDA_SUCCESS;
}

Result cuDeviceGetName(char *name, int length, DeviceId device) {
  ENTER(cuDeviceGetName);
  std::string text = "Stand-in " + std::to_string(device);
  std::strncpy(name, text.c_str(), static_cast<std::size_t>(length));
  return CUDA_SUCCESS;
}

Result cuDeviceGetAttribute(int *value, int attribute, DeviceId) {
  ENTER(cuDeviceGetAttribute);
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = state.machine.major;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = state.machine.minor;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 4;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
    *value = 1000000;
    return CUDA_SUCCESS;
  default:
    return CUDA_ERROR_INVALID_VALUE;
  }
}

Result cuDeviceTotalMem_v2(std::size_t *bytes, DeviceId) {
  ENTER(cuDeviceTotalMem_v2);
  *bytes = state.machine.memoryBytes;
  return CUDA_SUCCESS;
}

Result cuDeviceCanAccessPeer(int *can, DeviceId, DeviceId) {
  ENTER(cuDeviceCanAccessPeer);
  *can = state.machine.hasPeerAccess;
  return CUDA_SUCCESS;
}

Result cuDevicePrimaryCtxRetain(Context *context, DeviceId device) {
  ENTER(cuDevicePrimaryCtxRetain);
  auto &own = state.contexts[device];
  if (!own)
    own.reset(new CUctx_st{device});
  ++state.retained[device];
  *context = own.get();
  return CUDA_SUCCESS;
}

Result cuDevicePrimaryCtxRelease_v2(DeviceId device) {
  ENTER(cuDevicePrimaryCtxRelease_v2);
  NEED(state.retained[device]-- > 0, "a context is released that is not held");
  return CUDA_SUCCESS;
}

Result cuCtxSetCurrent(Context context) {
  ENTER(cuCtxSetCurrent);
  currentContext = context;
  return CUDA_SUCCESS;
}

Result cuCtxEnablePeerAccess(Context other, unsigned) {
  ENTER(cuCtxEnablePeerAccess);
  NEED_CONTEXT();
  if (!state.peers.insert({call.device(), other->device}).second)
    return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  return CUDA_SUCCESS;
}

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

Result cuStreamCreate(StreamHandle *stream, unsigned) {
  ENTER(cuStreamCreate);
  NEED_CONTEXT();
  *stream = new CUstream_st;
  (*stream)->device = call.device();
  (*stream)->number = state.streamCount++;
  state.streams.insert(*stream);
  return CUDA_SUCCESS;
}

Result cuStreamDestroy_v2(StreamHandle stream) {
  ENTER(cuStreamDestroy_v2);
  NEED(state.streams.contains(stream), "a stream that is not there");
  state.runTo(*stream, stream->enqueued);
  state.streams.erase(stream);
  delete stream;
  return CUDA_SUCCESS;
}

Result cuStreamSynchronize(StreamHandle stream) {
  ENTER(cuStreamSynchronize);
  NEED(state.streams.contains(stream), "a stream that is not there");
  if (stream->capture)
    return errorCaptureUnsupported;
  return state.runTo(*stream, stream->enqueued);
}

Result cuStreamWaitEvent(StreamHandle stream, EventHandle event, unsigned) {
  ENTER(cuStreamWaitEvent);
  NEED(state.streams.contains(stream) && state.events.contains(event),
       "a stream or an event that is not there");
  if (stream->capture)
    return errorCaptureUnsupported;
  if (event->stream)
    state.put(*stream, {"", nullptr, event->stream, event->position, nullptr});
  return CUDA_SUCCESS;
}

Result cuEventCreate(EventHandle *event, unsigned) {
  ENTER(cuEventCreate);
  NEED_CONTEXT();
  *event = new CUevent_st;
  state.events.insert(*event);
  return CUDA_SUCCESS;
}

Result cuEventDestroy_v2(EventHandle event) {
  ENTER(cuEventDestroy_v2);
  NEED(state.events.erase(event), "an event that is not there");
  delete event;
  return CUDA_SUCCESS;
}

Result cuEventRecord(EventHandle event, StreamHandle stream) {
  ENTER(cuEventRecord);
  NEED(state.streams.contains(stream) && state.events.contains(event),
       "a stream or an event that is not there");
  if (stream->capture)
    return errorCaptureUnsupported;
  event->stream = stream;
  event->position = stream->enqueued;
  return CUDA_SUCCESS;
}

Result cuEventQuery(EventHandle event) {
  ENTER(cuEventQuery);
  NEED(state.events.contains(event), "an event that is not there");
  if (!event->stream || event->stream->executed >= event->position)
    return CUDA_SUCCESS;
  state.runTo(*event->stream, event->stream->executed + 1); // time goes by
  return CUDA_ERROR_NOT_READY;
}

Result cuEventSynchronize(EventHandle event) {
  ENTER(cuEventSynchronize);
  NEED(state.events.contains(event), "an event that is not there");
  return event->stream ? state.runTo(*event->stream, event->position) : CUDA_SUCCESS;
}

Result cuEventElapsedTime(float *ms, EventHandle first, EventHandle last) {
  ENTER(cuEventElapsedTime);
  NEED(state.events.contains(first) && state.events.contains(last), "an event that is not there");
  *ms = 0.001f; // nothing here takes time that means anything
  return CUDA_SUCCESS;
}

Result cuModuleLoadDataEx(Module *module, const void *image, unsigned count, int *options,
                          void **values) {
  ENTER(cuModuleLoadDataEx);
  NEED_CONTEXT();
  auto loaded = std::make_unique<CUmod_st>();
  loaded->device = call.device();
  if (std::memcmp(image,
                  "\x7f"
                  "ELF",
                  4) == 0) {
    if (!state.machine.takesCubins)
      return errorNoBinary;
    loaded->isCubin = true;
  } else {
    try {
      loaded->ptx = standin::ptx::parse(static_cast<const char *>(image));
      for (auto &variable : loaded->ptx->globals) {
        standin::DeviceMemory &memory = state.memoryOf(call.device());
        variable->address = memory.allocate(std::max<std::size_t>(variable->sizeBytes, 1));
        loaded->globals.push_back(variable->address);
        std::byte *place = memory.find(variable->address, variable->sizeBytes);
        std::memset(place, 0, variable->sizeBytes);
        std::memcpy(place, variable->contents.data(), variable->contents.size());
      }
    } catch (const standin::ptx::PtxError &error) {
      for (unsigned i = 0; i < count; ++i)
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
          std::strncpy(static_cast<char *>(values[i]), error.what(), 4000);
      return errorInvalidPtx;
    }
  }
  *module = loaded.release();
  state.modules.insert(*module);
  return CUDA_SUCCESS;
}

Result cuModuleUnload(Module module) {
  ENTER(cuModuleUnload);
  NEED(state.modules.contains(module), "a module that is not there");
  state.runAll(module->device); // as the driver does
  for (uint64_t address : module->globals)
    state.memoryOf(module->device).release(address);
  state.modules.erase(module);
  delete module;
  return CUDA_SUCCESS;
}

Result cuModuleGetFunction(Function *function, Module module, const char *name) {
  ENTER(cuModuleGetFunction);
  NEED(state.modules.contains(module), "a module that is not there");
  const standin::ptx::Function *ptx = nullptr;
  if (!module->isCubin) {
    auto found = module->ptx->functions.find(name);
    if (found == module->ptx->functions.end())
      return errorNotFound;
    ptx = found->second.get();
  }
  auto &own = module->functions[name];
  if (!own)
    own.reset(new CUfunc_st{module, name, ptx});
  *function = own.get();
  return CUDA_SUCCESS;
}

Result cuFuncSetAttribute(Function function, int attribute, int value) {
  ENTER(cuFuncSetAttribute);
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
      value > 227 << 10)
    return CUDA_ERROR_INVALID_VALUE;
  function->maxDynamicSharedBytes = value;
  return CUDA_SUCCESS;
}

Result cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ,
                      unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                      StreamHandle stream, void **parameters, void **) {
  ENTER(cuLaunchKernel);
  NEED_CONTEXT();
  NEED(state.streams.contains(stream), "a stream that is not there");
  NEED(stream->device == function->module->device, "a kernel of another device");
  if (gridX == 0 || gridY == 0 || gridZ == 0 || gridY > 65535 || gridZ > 65535 ||
      blockX * blockY * blockZ == 0 || blockX * blockY * blockZ > 1024 ||
      static_cast<int>(sharedBytes) > function->maxDynamicSharedBytes)
    return CUDA_ERROR_INVALID_VALUE;
  standin::ptx::Launch launch;
  launch.grid = {gridX, gridY, gridZ};
  launch.block = {blockX, blockY, blockZ};
  launch.dynamicSharedBytes = sharedBytes;
  launch.isReversed = state.machine.isReversed;
  if (function->ptx) {
    launch.parameters.resize(function->ptx->parameterBytes);
    for (std::size_t i = 0; i < function->ptx->parameters.size(); ++i) {
      const standin::ptx::Variable &parameter = function->ptx->parameters[i];
      std::memcpy(launch.parameters.data() + parameter.offset, parameters[i], parameter.sizeBytes);
    }
  }
  std::string name = "kernel " + function->name + " [" + std::to_string(gridX) + ", " +
                     std::to_string(gridY) + ", " + std::to_string(gridZ) + "] x " +
                     std::to_string(blockX * blockY * blockZ);
  state.put(*stream, {std::move(name),
                      [&state, function, launch = std::move(launch)] {
                        return function->ptx ? launchPtx(state, *function, launch) : CUDA_SUCCESS;
                      },
                      nullptr, 0, function});
  return CUDA_SUCCESS;
}

Result cuStreamBeginCapture_v2(StreamHandle stream, int) {
  ENTER(cuStreamBeginCapture_v2);
  NEED(state.streams.contains(stream), "a stream that is not there");
  if (stream->capture)
    return errorCaptureUnsupported;
  stream->capture = std::make_unique<CUgraph_st>();
  return CUDA_SUCCESS;
}

Result cuStreamEndCapture(StreamHandle stream, GraphHandle *graph) {
  Call call("cuStreamEndCapture");
  State &state = call.state;
  if (call.code) { // it ends all the same
    stream->capture.reset();
    return call.code;
  }
  NEED(state.streams.contains(stream) && stream->capture, "a stream that records nothing");
  *graph = stream->capture.release();
  state.graphs.insert(*graph);
  return CUDA_SUCCESS;
}

Result cuGraphInstantiateWithFlags(GraphExecHandle *exec, GraphHandle graph, unsigned long long) {
  ENTER(cuGraphInstantiateWithFlags);
  NEED(state.graphs.contains(graph), "a graph that is not there");
  *exec = new CUgraphExec_st{graph->works};
  state.graphExecs.insert(*exec);
  return CUDA_SUCCESS;
}

Result cuGraphExecUpdate_v2(GraphExecHandle exec, GraphHandle graph, GraphUpdateResult *result) {
  ENTER(cuGraphExecUpdate_v2);
  NEED(state.graphExecs.contains(exec) && state.graphs.contains(graph),
       "a graph that is not there");
  bool fits = exec->works.size() == graph->works.size();
  for (std::size_t i = 0; fits && i < exec->works.size(); ++i)
    fits = exec->works[i].kind == graph->works[i].kind;
  result->result = fits ? 0 : 1;
  if (!fits)
    return errorUpdateFailure;
  exec->works = graph->works;
  return CUDA_SUCCESS;
}

Result cuGraphLaunch(GraphExecHandle exec, StreamHandle stream) {
  ENTER(cuGraphLaunch);
  NEED(state.graphExecs.contains(exec) && state.streams.contains(stream),
       "a graph or a stream that is not there");
  for (const Work &work : exec->works)
    state.put(*stream, work);
  return CUDA_SUCCESS;
}

Result cuGraphExecDestroy(GraphExecHandle exec) {
  ENTER(cuGraphExecDestroy);
  NEED(state.graphExecs.erase(exec), "a graph that is not there");
  delete exec;
  return CUDA_SUCCESS;
}

Result cuGraphDestroy(GraphHandle graph) {
  ENTER(cuGraphDestroy);
  NEED(state.graphs.erase(graph), "a graph that is not there");
  delete graph;
  return CUDA_SUCCESS;
}

} // extern "C"
