#include "runtime/Abi.h"
#include "runtime/DeviceThreads.h"
#include "runtime/Rank.h"
#include "runtime/cuda/DeviceCollective.h"
#include "runtime/cuda/DeviceContents.h"

#include <algorithm>

namespace kiln::runtime {

void RankedModel::runOnAccelerators(std::deque<Rank> &ranks, const int64_t *symbols) const {
  const Executable &exe = *owner;
  bool checksIndices = !exe.description.indexSites.empty();
  // The streams are those of the calling thread, so that its calls are in order; the devices'
  // threads put the work into them, all at the same time, since ranks wait for each other.
  std::vector<cuda::Stream *> streams;
  std::vector<std::unique_ptr<Collective>> meetings;
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    cuda::Gpu &gpu = cuda::Gpu::get(places[r]);
    streams.push_back(&gpu.stream());
    ranks[r].onDevice =
        std::make_unique<cuda::RankOnDevice>(gpu, gpu.stream(), exe.workspaceBytes(symbols, 1),
                                             exe.kernels->on(gpu), exe.description.device.kernels);
    ranks[r].slots.back() = ranks[r].onDevice->workspace.data();
    meetings.push_back(std::move(ranks[r].collective));
  }
  std::vector<std::unique_ptr<Collective>> collectives =
      cuda::makeDeviceCollectives(streams, std::move(meetings));
  for (std::size_t r = 0; r < ranks.size(); ++r)
    ranks[r].collective = std::move(collectives[r]);
  if (checksIndices) {
    std::vector<Rank *> byDevice; // the order in which all calls lock
    for (Rank &rank : ranks)
      byDevice.push_back(&rank);
    std::sort(byDevice.begin(), byDevice.end(), [](const Rank *a, const Rank *b) {
      return a->onDevice->stream.gpu().device().index() <
             b->onDevice->stream.gpu().device().index();
    });
    for (Rank *rank : byDevice) {
      cuda::Stream &stream = rank->onDevice->stream;
      rank->onDevice->recordLock = std::unique_lock(stream.recordMutex);
      stream.indexRecord() = {};
    }
  }
  DeviceThreads::instance().run(places, 1, [&](int64_t index, ThreadPool &) {
    Rank &rank = ranks[static_cast<std::size_t>(index)];
    cuda::RankOnDevice &on = *rank.onDevice;
    std::exception_ptr early;
    void *record = nullptr;
    try {
      on.stream.gpu().enter();
      if (checksIndices)
        record = reinterpret_cast<void *>(on.stream.indexRecordAddress());
    } catch (...) {
      early = std::current_exception();
    }
    CallContext &context = rank.context.emplace(*rank.collective, on.call, record);
    try {
      if (early)
        std::rethrow_exception(early);
      exe.enter(context, rank.slots.data(), symbols);
      on.call.rethrow();
    } catch (...) {
      context.fail(std::current_exception());
    }
    rank.collective->finish();
  });
  for (Rank &rank : ranks)
    for (std::size_t i = 0; i < rank.results.size(); ++i)
      if (!exe.description.outputs[i].aliasOfInput)
        rank.results[i].buffer->onAccelerator()->writtenBy(rank.onDevice->stream);
  if (checksIndices)
    for (Rank &rank : ranks) {
      rank.onDevice->stream.synchronize("a model that checks indices");
      rank.context->takeReport(rank.onDevice->stream.indexRecord());
    }
}

} // namespace kiln::runtime
