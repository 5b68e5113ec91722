#include "runtime/CallContext.h"
#include "runtime/Executable.h"
#include "runtime/cuda/DeviceCall.h"
#include "runtime/cuda/DeviceContents.h"
#include "runtime/cuda/Graphs.h"
#include "runtime/cuda/Kernels.h"
#include "runtime/cuda/Workspace.h"

#include <optional>

namespace kiln::runtime {

std::vector<TensorValue> Executable::callOnDevice(const TensorValue *const *inputs,
                                                  const void **slots,
                                                  const int64_t *symbols) const {
  cuda::Gpu &gpu = cuda::Gpu::get(workspaceDevice);
  cuda::Stream &stream = gpu.stream();
  const cuda::LoadedKernels &loaded = kernels->on(gpu);
  std::vector<TensorValue> results = makeOutputs(inputs, slots, symbols, {});
  cuda::Workspace memory(gpu, workspaceBytes(symbols, 1), stream);
  slots[firstSlot.back() + results.size()] = memory.data();

  bool checksIndices = !description.indexSites.empty();
  std::unique_lock<std::mutex> recordLock;
  void *record = nullptr;
  if (checksIndices) {
    recordLock = std::unique_lock(stream.recordMutex);
    stream.indexRecord() = {};
    record = reinterpret_cast<void *>(stream.indexRecordAddress());
  }
  auto enqueue = [&](cuda::StreamHandle queue) {
    cuda::DeviceCall device(gpu, queue, loaded, description.device.kernels);
    CallContext context(device, record);
    gpu.enter();
    enter(context, slots, symbols);
    device.rethrow();
  };
  if (graphs) {
    std::vector<uint64_t> key(symbols, symbols + description.symbols.size());
    for (std::size_t i = 0; i <= firstSlot.back() + results.size(); ++i)
      key.push_back(reinterpret_cast<uint64_t>(slots[i]));
    key.push_back(reinterpret_cast<uint64_t>(record));
    graphs->run(gpu, stream, std::move(key), enqueue);
  } else {
    enqueue(stream.handle());
  }
  for (std::size_t i = 0; i < results.size(); ++i)
    if (!description.outputs[i].aliasOfInput)
      results[i].buffer->onAccelerator()->writtenBy(stream);
  if (checksIndices) {
    stream.synchronize("a model that checks indices");
    CallContext report;
    report.takeReport(stream.indexRecord());
    report.raiseIndexError(description, symbols);
  }
  return results;
}

} // namespace kiln::runtime
