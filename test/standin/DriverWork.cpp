#include "standin/Call.h"

#include <algorithm>
#include <cstring>

using namespace kiln::runtime::cuda;
using namespace standin;

namespace {

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
    if (!state.machine.takesCubins && state.machine.executes)
      return errorNoBinary;
    loaded->isCubin = true;
  } else if (!state.machine.executes) {
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

} // extern "C"
