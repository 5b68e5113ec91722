#include "runtime/cuda/Graphs.h"

#include <cstdlib>
#include <cstring>
#include <utility>

namespace kiln::runtime::cuda {

bool Graphs::areOn() {
  const char *text = std::getenv("KILN_CUDA_GRAPHS");
  return !text || std::strcmp(text, "0") != 0;
}

std::size_t Graphs::Hash::operator()(const std::vector<uint64_t> &key) const {
  uint64_t hash = key.size();
  for (uint64_t word : key)
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u + (hash >> 29); // Fibonacci hashing
  return hash;
}

Graphs::~Graphs() {
  for (Entry &entry : entries)
    release(entry);
  release(spare);
}

void Graphs::release(Entry &entry) {
  if (entry.graph && entry.gpu->driver().setContext.attempt(entry.gpu->context()) == CUDA_SUCCESS)
    entry.gpu->driver().destroyGraphExec.attempt(entry.graph);
}

/// Records on a stream of its own, so that what other threads put into theirs stays out.
GraphExecHandle Graphs::record(Gpu &gpu, const std::function<void(StreamHandle)> &enqueue) {
  const Driver &driver = gpu.driver();
  std::lock_guard lock(gpu.captureMutex);
  StreamHandle stream = gpu.captureStream().handle();
  GraphHandle graph = nullptr;
  gpu.enter();
  driver.beginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  try {
    enqueue(stream);
  } catch (...) {
    if (driver.endCapture.attempt(stream, &graph) == CUDA_SUCCESS && graph)
      driver.destroyGraph.attempt(graph);
    throw;
  }
  driver.endCapture(stream, &graph);
  try {
    GraphExecHandle ready = instantiate(gpu, graph);
    driver.destroyGraph.attempt(graph);
    return ready;
  } catch (...) {
    driver.destroyGraph.attempt(graph);
    throw;
  }
}

GraphExecHandle Graphs::instantiate(Gpu &gpu, GraphHandle graph) {
  if (spare.graph && spare.gpu == &gpu) {
    GraphUpdateResult result;
    GraphExecHandle ready = std::exchange(spare.graph, nullptr);
    if (gpu.driver().updateGraph.attempt(ready, graph, &result) == CUDA_SUCCESS) {
      ++count.updated;
      return ready;
    }
    gpu.driver().destroyGraphExec.attempt(ready); // of another form: other kernels, or as many
  }
  GraphExecHandle ready = nullptr;
  gpu.driver().instantiateGraph(&ready, graph, 0);
  return ready;
}

void Graphs::run(Gpu &gpu, Stream &stream, std::vector<uint64_t> key,
                 const std::function<void(StreamHandle)> &enqueue) {
  key.push_back(static_cast<uint64_t>(gpu.device().index()));
  std::unique_lock lock(mutex);
  auto found = places.find(key);
  if (found == places.end()) { // what comes only once is not worth recording
    entries.push_back({key, &gpu, nullptr});
    places.emplace(std::move(key), std::prev(entries.end()));
    if (entries.size() > capacity) {
      Entry &oldest = entries.front();
      places.erase(oldest.key);
      if (oldest.graph) {
        release(spare);
        spare = std::move(oldest);
      }
      entries.pop_front();
    }
    ++count.direct;
    lock.unlock();
    return enqueue(stream.handle());
  }
  auto entry = found->second;
  entries.splice(entries.end(), entries, entry);
  if (!entry->graph) {
    entry->graph = record(gpu, enqueue);
    ++count.recorded;
  } else {
    ++count.replayed;
  }
  gpu.enter();
  gpu.driver().launchGraph(entry->graph, stream.handle());
}

Graphs::Counts Graphs::counts() const {
  std::lock_guard lock(mutex);
  return count;
}

} // namespace kiln::runtime::cuda
