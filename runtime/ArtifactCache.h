#pragma once

#include "kiln/Stats.h"
#include "runtime/Artifact.h"
#include "runtime/DiskCache.h"
#include "runtime/ShippedArtifacts.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kiln::runtime {

class Executable;

/// What getOrCompile found.
struct CachedExecutable {
  std::shared_ptr<const Executable> executable;
  CacheHit hit = CacheHit::none;
  std::string missReason;        // hit none: why
  double compileSeconds = 0;     // hit none
  std::vector<PhaseTime> phases; // hit none: of compiling, in order
  double loadSeconds = 0;        // from bytes to something that can run; 0 for a hit in memory
};

/// Executables by key: in memory, least recently used go first, and on disk. Thread-safe.
class ArtifactCache {
public:
  static ArtifactCache &instance();
  static constexpr std::size_t defaultCapacity = 256; // executables, some 100 KB each

  /// `shippedFolder`: of artifacts that were made elsewhere; see ShippedArtifacts.
  explicit ArtifactCache(std::string diskFolder, std::size_t capacity = defaultCapacity,
                         std::string shippedFolder = "")
      : disk(std::move(diskFolder)), shipped(std::move(shippedFolder)), capacity(capacity) {}

  /// The executable of that key, from memory, from disk (the cache, then what was shipped, which
  /// `parts` is needed for), or from `compile`, whose artifact gets the key and is stored.
  /// Concurrent calls with one key compile once: the others wait and count as hits in memory; calls
  /// of other processes as hits on disk. `parts`: what the key is made of, asked for a miss, to
  /// tell why it is one. Errors: what `compile` throws, for all that waited, and nothing is kept;
  /// those of Executable::load.
  CachedExecutable getOrCompile(const std::string &key, const std::function<Artifact()> &compile,
                                const std::function<KeyParts()> &parts = {});

  struct Counts {
    int64_t compiles = 0, memoryHits = 0, diskHits = 0;
  };
  Counts counts() const;
  /// Forgets what is in memory; what is in use lives on. The disk is left as it is.
  void clearMemory();

private:
  using Pointer = std::shared_ptr<const Executable>;
  struct Entry {
    std::shared_future<Pointer> executable;
    std::list<std::string>::iterator use; // position in `uses`; its end while it is being made
  };
  CachedExecutable make(const std::string &key, const std::function<Artifact()> &compile,
                        const std::function<KeyParts()> &parts);
  bool findOnDisk(const std::string &key, CachedExecutable &result);
  bool findShipped(const KeyParts &parts, CachedExecutable &result);
  /// Says and counts that result.executable came from a file.
  void noteDiskHit(CachedExecutable &result, std::chrono::steady_clock::time_point start);
  void keep(const std::string &key);

  DiskCache disk;
  ShippedArtifacts shipped;
  std::size_t capacity;
  mutable std::mutex mutex;
  std::unordered_map<std::string, Entry> entries;
  std::list<std::string> uses; // oldest first
  Counts count;
};

} // namespace kiln::runtime
