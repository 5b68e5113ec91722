#pragma once

#include "runtime/cuda/Gpu.h"

#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace kiln::runtime::cuda {

/// The launches of an artifact as graphs of the driver, one for each set of sizes and addresses
/// that came again: launching a graph takes about as long as launching one kernel. Thread-safe.
class Graphs {
public:
  /// Of graphs; least recently used ones go first. Some 10 KB a launch each.
  static constexpr std::size_t capacity = 32;
  ~Graphs();

  /// Runs what `enqueue` puts into the stream that it is given. What `key` (sizes, addresses)
  /// describes must be all that tells its work from other work on that device.
  void run(Gpu &gpu, Stream &stream, std::vector<uint64_t> key,
           const std::function<void(StreamHandle)> &enqueue);

  struct Counts {
    int64_t direct = 0, recorded = 0, replayed = 0;
    int64_t updated = 0; // of those recorded: in the place of one that was least recently used
  };
  Counts counts() const;
  /// $KILN_CUDA_GRAPHS is not 0.
  static bool areOn();

private:
  struct Entry {
    std::vector<uint64_t> key;
    Gpu *gpu = nullptr;
    GraphExecHandle graph = nullptr; // null: seen once
  };
  struct Hash {
    std::size_t operator()(const std::vector<uint64_t> &key) const;
  };
  static void release(Entry &entry);
  GraphExecHandle record(Gpu &gpu, const std::function<void(StreamHandle)> &enqueue);
  /// What was recorded, ready to be launched.
  GraphExecHandle instantiate(Gpu &gpu, GraphHandle graph);

  mutable std::mutex mutex;
  std::list<Entry> entries; // oldest first
  /// One that went: giving it other sizes and addresses takes a fraction of what making one takes.
  Entry spare{};
  std::unordered_map<std::vector<uint64_t>, std::list<Entry>::iterator, Hash> places;
  Counts count;
};

} // namespace kiln::runtime::cuda
