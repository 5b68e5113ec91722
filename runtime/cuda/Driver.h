#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The functions of NVIDIA's driver that the runtime uses, found with dlopen: nothing of CUDA is
/// needed to build, nor to run where there is no accelerator. Declared here as the driver's API
/// documents them (CUDA 12 and later).
struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;
struct CUgraphNode_st;

namespace kiln::runtime::cuda {

using Result = int; // CUresult
using DeviceId = int;
using Address = unsigned long long; // CUdeviceptr
using Context = CUctx_st *;
using Module = CUmod_st *;
using Function = CUfunc_st *;
using StreamHandle = CUstream_st *;
using EventHandle = CUevent_st *;
using GraphHandle = CUgraph_st *;
using GraphExecHandle = CUgraphExec_st *;

// Values of the driver's enumerations, by its names.
inline constexpr Result CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1,
                        CUDA_ERROR_OUT_OF_MEMORY = 2, CUDA_ERROR_NO_DEVICE = 100,
                        CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED = 704, CUDA_ERROR_NOT_READY = 600;
inline constexpr int CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
                     CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13, // kHz
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
                     CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
inline constexpr unsigned CU_MEMHOSTALLOC_PORTABLE = 1, CU_MEMHOSTALLOC_DEVICEMAP = 2;
inline constexpr unsigned CU_STREAM_NON_BLOCKING = 1;
inline constexpr unsigned CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2;
inline constexpr int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;
inline constexpr int CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
inline constexpr int CU_JIT_INFO_LOG_BUFFER = 3, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
                     CU_JIT_ERROR_LOG_BUFFER = 5, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6;

/// CUgraphExecUpdateResultInfo.
struct GraphUpdateResult {
  int result = 0;
  CUgraphNode_st *errorNode = nullptr, *errorFromNode = nullptr;
};

class Driver;

/// One function of the driver.
template <class... Arguments> class DriverCall {
public:
  DriverCall(Driver &driver, const char *name);
  /// Errors: DeviceError with the call's name and the driver's reason.
  void operator()(Arguments... arguments) const { check(attempt(arguments...)); }
  /// The driver's result as it is.
  Result attempt(Arguments... arguments) const { return entry(arguments...); }
  /// Throws for what `attempt` gave. `context`: what was being done, such as a kernel's name.
  void check(Result result, std::string_view context = {}) const;

private:
  Driver &driver;
  const char *name;
  Result (*entry)(Arguments...) = nullptr;
};

class Driver {
public:
  /// Null where there is no driver; `whyNot` says why.
  static const Driver *find();
  static const std::string &whyNot();

  /// `CUDA_ERROR_OUT_OF_MEMORY: out of memory`.
  std::string describe(Result result) const;
  [[noreturn]] void fail(const char *call, Result result, std::string_view context) const;

private:
  template <class... Arguments> friend class DriverCall;
  explicit Driver(void *library) : library(library) {}
  void *symbol(const char *name);

  void *library;
  std::string missing; // the first function that the library lacks

public:
  DriverCall<unsigned> init{*this, "cuInit"};
  DriverCall<int *> version{*this, "cuDriverGetVersion"};
  DriverCall<Result, const char **> errorName{*this, "cuGetErrorName"};
  DriverCall<Result, const char **> errorText{*this, "cuGetErrorString"};
  DriverCall<int *> deviceCount{*this, "cuDeviceGetCount"};
  DriverCall<DeviceId *, int> device{*this, "cuDeviceGet"};
  DriverCall<char *, int, DeviceId> deviceName{*this, "cuDeviceGetName"};
  DriverCall<int *, int, DeviceId> deviceAttribute{*this, "cuDeviceGetAttribute"};
  DriverCall<std::size_t *, DeviceId> deviceMemory{*this, "cuDeviceTotalMem_v2"};
  DriverCall<int *, DeviceId, DeviceId> canAccessPeer{*this, "cuDeviceCanAccessPeer"};
  DriverCall<Context *, DeviceId> retainContext{*this, "cuDevicePrimaryCtxRetain"};
  DriverCall<DeviceId> releaseContext{*this, "cuDevicePrimaryCtxRelease_v2"};
  DriverCall<Context> setContext{*this, "cuCtxSetCurrent"};
  DriverCall<Context, unsigned> enablePeerAccess{*this, "cuCtxEnablePeerAccess"};
  DriverCall<std::size_t *, std::size_t *> memoryInfo{*this, "cuMemGetInfo_v2"};
  DriverCall<Address *, std::size_t> allocate{*this, "cuMemAlloc_v2"};
  DriverCall<Address> free{*this, "cuMemFree_v2"};
  DriverCall<void **, std::size_t, unsigned> allocateHost{*this, "cuMemHostAlloc"};
  DriverCall<void *> freeHost{*this, "cuMemFreeHost"};
  DriverCall<Address *, void *, unsigned> hostAddress{*this, "cuMemHostGetDevicePointer_v2"};
  DriverCall<Address, const void *, std::size_t, StreamHandle> copyToDevice{*this,
                                                                            "cuMemcpyHtoDAsync_v2"};
  DriverCall<void *, Address, std::size_t, StreamHandle> copyToHost{*this, "cuMemcpyDtoHAsync_v2"};
  DriverCall<Address, Address, std::size_t, StreamHandle> copyOnDevice{*this,
                                                                       "cuMemcpyDtoDAsync_v2"};
  DriverCall<Address, Context, Address, Context, std::size_t, StreamHandle> copyToPeer{
      *this, "cuMemcpyPeerAsync"};
  DriverCall<Address, unsigned char, std::size_t, StreamHandle> fill{*this, "cuMemsetD8Async"};
  DriverCall<StreamHandle *, unsigned> createStream{*this, "cuStreamCreate"};
  DriverCall<StreamHandle> destroyStream{*this, "cuStreamDestroy_v2"};
  DriverCall<StreamHandle> synchronize{*this, "cuStreamSynchronize"};
  DriverCall<StreamHandle, EventHandle, unsigned> waitEvent{*this, "cuStreamWaitEvent"};
  DriverCall<EventHandle *, unsigned> createEvent{*this, "cuEventCreate"};
  DriverCall<EventHandle> destroyEvent{*this, "cuEventDestroy_v2"};
  DriverCall<EventHandle, StreamHandle> recordEvent{*this, "cuEventRecord"};
  DriverCall<EventHandle> queryEvent{*this, "cuEventQuery"};
  DriverCall<EventHandle> synchronizeEvent{*this, "cuEventSynchronize"};
  DriverCall<float *, EventHandle, EventHandle> elapsedMs{*this, "cuEventElapsedTime"};
  DriverCall<Module *, const void *, unsigned, int *, void **> loadModule{*this,
                                                                          "cuModuleLoadDataEx"};
  DriverCall<Module> unloadModule{*this, "cuModuleUnload"};
  DriverCall<Function *, Module, const char *> function{*this, "cuModuleGetFunction"};
  DriverCall<Function, int, int> setFunctionAttribute{*this, "cuFuncSetAttribute"};
  DriverCall<Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
             StreamHandle, void **, void **>
      launch{*this, "cuLaunchKernel"};
  DriverCall<StreamHandle, int> beginCapture{*this, "cuStreamBeginCapture_v2"};
  DriverCall<StreamHandle, GraphHandle *> endCapture{*this, "cuStreamEndCapture"};
  DriverCall<GraphExecHandle *, GraphHandle, unsigned long long> instantiateGraph{
      *this, "cuGraphInstantiateWithFlags"};
  DriverCall<GraphExecHandle, GraphHandle, GraphUpdateResult *> updateGraph{*this,
                                                                            "cuGraphExecUpdate_v2"};
  DriverCall<GraphExecHandle, StreamHandle> launchGraph{*this, "cuGraphLaunch"};
  DriverCall<GraphExecHandle> destroyGraphExec{*this, "cuGraphExecDestroy"};
  DriverCall<GraphHandle> destroyGraph{*this, "cuGraphDestroy"};
};

template <class... Arguments>
DriverCall<Arguments...>::DriverCall(Driver &driver, const char *name)
    : driver(driver), name(name),
      entry(reinterpret_cast<Result (*)(Arguments...)>(driver.symbol(name))) {}

template <class... Arguments>
void DriverCall<Arguments...>::check(Result result, std::string_view context) const {
  if (result != CUDA_SUCCESS)
    driver.fail(name, result, context);
}

} // namespace kiln::runtime::cuda
