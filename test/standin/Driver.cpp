#include "standin/Call.h"

#include <cstring>

using namespace kiln::runtime::cuda;
using namespace standin;

thread_local CUctx_st *standin::currentContext = nullptr;

namespace {

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

} // extern "C"
