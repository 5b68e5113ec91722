// The runtime's declarations of the driver against NVIDIA's own header, where that is installed.
// Checked when it is compiled; nothing of it runs.
#include "runtime/cuda/Driver.h"

#if __has_include(<cuda.h>)

namespace kiln::runtime::cuda {
namespace {
// Named before the header makes macros of some.
constexpr unsigned portable = CU_MEMHOSTALLOC_PORTABLE, mapped = CU_MEMHOSTALLOC_DEVICEMAP;
} // namespace
} // namespace kiln::runtime::cuda

#include <cuda.h>

#include <type_traits>

#if CUDA_VERSION >= 12000

namespace kiln::runtime::cuda {
namespace {

static_assert(portable == CU_MEMHOSTALLOC_PORTABLE && mapped == CU_MEMHOSTALLOC_DEVICEMAP);
#define KILN_SAME(name)                                                                            \
  static_assert(static_cast<long long>(name) == static_cast<long long>(::name))
KILN_SAME(CUDA_SUCCESS);
KILN_SAME(CUDA_ERROR_INVALID_VALUE);
KILN_SAME(CUDA_ERROR_OUT_OF_MEMORY);
KILN_SAME(CUDA_ERROR_NO_DEVICE);
KILN_SAME(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
KILN_SAME(CUDA_ERROR_NOT_READY);
KILN_SAME(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
KILN_SAME(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
KILN_SAME(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
KILN_SAME(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
KILN_SAME(CU_STREAM_NON_BLOCKING);
KILN_SAME(CU_EVENT_DEFAULT);
KILN_SAME(CU_EVENT_DISABLE_TIMING);
KILN_SAME(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
KILN_SAME(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
KILN_SAME(CU_JIT_INFO_LOG_BUFFER);
KILN_SAME(CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
KILN_SAME(CU_JIT_ERROR_LOG_BUFFER);
KILN_SAME(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
#undef KILN_SAME

static_assert(sizeof(GraphUpdateResult) == sizeof(CUgraphExecUpdateResultInfo));
static_assert(offsetof(GraphUpdateResult, errorNode) ==
              offsetof(CUgraphExecUpdateResultInfo, errorNode));
static_assert(offsetof(GraphUpdateResult, errorFromNode) ==
              offsetof(CUgraphExecUpdateResultInfo, errorFromNode));

/// Whether an argument of ours is passed as one of theirs: enumerations and structures have other
/// names here.
template <class Ours, class Theirs> constexpr bool isPassedAs() {
  if constexpr (std::is_same_v<Ours, Theirs>) {
    return true;
  } else if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) {
    using To = std::remove_pointer_t<Theirs>;
    using From = std::remove_pointer_t<Ours>;
    if constexpr (std::is_same_v<From, GraphUpdateResult>)
      return std::is_same_v<To, CUgraphExecUpdateResultInfo>;
    else if constexpr (std::is_enum_v<To>)
      return std::is_integral_v<From> && sizeof(From) == sizeof(To);
    else
      return false;
  } else {
    return std::is_integral_v<Ours> && (std::is_enum_v<Theirs> || std::is_integral_v<Theirs>) &&
           sizeof(Ours) == sizeof(Theirs);
  }
}

template <class... Ours, class... Theirs>
constexpr bool isDeclaredAs(const DriverCall<Ours...> *, CUresult (*)(Theirs...)) {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs))
    return (isPassedAs<Ours, Theirs>() && ...);
  else
    return false;
}

#define KILN_CALL(member, name)                                                                    \
  static_assert(isDeclaredAs(static_cast<const decltype(Driver::member) *>(nullptr),               \
                             static_cast<decltype(&::name)>(nullptr)),                             \
                #name)
KILN_CALL(init, cuInit);
KILN_CALL(version, cuDriverGetVersion);
KILN_CALL(errorName, cuGetErrorName);
KILN_CALL(errorText, cuGetErrorString);
KILN_CALL(deviceCount, cuDeviceGetCount);
KILN_CALL(device, cuDeviceGet);
KILN_CALL(deviceName, cuDeviceGetName);
KILN_CALL(deviceAttribute, cuDeviceGetAttribute);
KILN_CALL(deviceMemory, cuDeviceTotalMem_v2);
KILN_CALL(canAccessPeer, cuDeviceCanAccessPeer);
KILN_CALL(retainContext, cuDevicePrimaryCtxRetain);
KILN_CALL(releaseContext, cuDevicePrimaryCtxRelease_v2);
KILN_CALL(setContext, cuCtxSetCurrent);
KILN_CALL(enablePeerAccess, cuCtxEnablePeerAccess);
KILN_CALL(memoryInfo, cuMemGetInfo_v2);
KILN_CALL(allocate, cuMemAlloc_v2);
KILN_CALL(free, cuMemFree_v2);
KILN_CALL(allocateHost, cuMemHostAlloc);
KILN_CALL(freeHost, cuMemFreeHost);
KILN_CALL(hostAddress, cuMemHostGetDevicePointer_v2);
KILN_CALL(copyToDevice, cuMemcpyHtoDAsync_v2);
KILN_CALL(copyToHost, cuMemcpyDtoHAsync_v2);
KILN_CALL(copyOnDevice, cuMemcpyDtoDAsync_v2);
KILN_CALL(copyToPeer, cuMemcpyPeerAsync);
KILN_CALL(fill, cuMemsetD8Async);
KILN_CALL(createStream, cuStreamCreate);
KILN_CALL(destroyStream, cuStreamDestroy_v2);
KILN_CALL(synchronize, cuStreamSynchronize);
KILN_CALL(waitEvent, cuStreamWaitEvent);
KILN_CALL(createEvent, cuEventCreate);
KILN_CALL(destroyEvent, cuEventDestroy_v2);
KILN_CALL(recordEvent, cuEventRecord);
KILN_CALL(queryEvent, cuEventQuery);
KILN_CALL(synchronizeEvent, cuEventSynchronize);
KILN_CALL(elapsedMs, cuEventElapsedTime);
KILN_CALL(loadModule, cuModuleLoadDataEx);
KILN_CALL(unloadModule, cuModuleUnload);
KILN_CALL(function, cuModuleGetFunction);
KILN_CALL(setFunctionAttribute, cuFuncSetAttribute);
KILN_CALL(launch, cuLaunchKernel);
KILN_CALL(beginCapture, cuStreamBeginCapture_v2);
KILN_CALL(endCapture, cuStreamEndCapture);
KILN_CALL(instantiateGraph, cuGraphInstantiateWithFlags);
KILN_CALL(updateGraph, cuGraphExecUpdate_v2);
KILN_CALL(launchGraph, cuGraphLaunch);
KILN_CALL(destroyGraphExec, cuGraphExecDestroy);
KILN_CALL(destroyGraph, cuGraphDestroy);
#undef KILN_CALL

} // namespace
} // namespace kiln::runtime::cuda

#endif
#endif
