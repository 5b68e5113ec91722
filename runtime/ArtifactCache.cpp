#include "runtime/ArtifactCache.h"

#include "runtime/Checksum.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Executable.h"
#include "runtime/cpu/HostCpu.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace kiln::runtime {

std::string hashKey(std::span<const std::string_view> parts) {
  std::vector<uint64_t> sizes;
  std::vector<std::span<const std::byte>> all(1);
  for (std::string_view part : parts) {
    sizes.push_back(part.size());
    all.push_back(std::as_bytes(std::span(part)));
  }
  all[0] = std::as_bytes(std::span(sizes));
  return checksum(all).str();
}

std::string artifactKey(std::string_view graphText, const CompileRequest &request) {
  static const std::string compiler = compilerIdentity();
  static const std::string native = cpuKey(hostCpuFeatures());
  std::vector<std::string> disabled = request.disabledPasses;
  std::sort(disabled.begin(), disabled.end());
  std::string ranks = std::to_string(request.ranks);
  std::vector<std::string_view> parts = {
      compiler, request.target == "native" ? native : request.target, graphText, ranks};
  parts.insert(parts.end(), disabled.begin(), disabled.end());
  return hashKey(parts);
}

ArtifactCache &ArtifactCache::instance() {
  static ArtifactCache &cache = *new ArtifactCache(DiskCache::defaultFolder());
  return cache;
}

static double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

CachedExecutable ArtifactCache::getOrCompile(const std::string &key,
                                             const std::function<Artifact()> &compile) {
  std::optional<std::promise<Pointer>> promise;
  {
    std::unique_lock lock(mutex);
    if (auto found = entries.find(key); found != entries.end()) {
      if (found->second.use != uses.end())
        uses.splice(uses.end(), uses, found->second.use);
      ++count.memoryHits;
      std::shared_future<Pointer> future = found->second.executable;
      lock.unlock();
      return {future.get(), CacheHit::memory, {}, 0, 0};
    }
    promise.emplace();
    entries.emplace(key, Entry{promise->get_future().share(), uses.end()});
  }
  try {
    CachedExecutable made = make(key, compile);
    promise->set_value(made.executable);
    keep(key);
    return made;
  } catch (...) {
    {
      std::lock_guard lock(mutex);
      entries.erase(key);
    }
    promise->set_exception(std::current_exception());
    throw;
  }
}

CachedExecutable ArtifactCache::make(const std::string &key,
                                     const std::function<Artifact()> &compile) {
  CachedExecutable result;
  auto start = std::chrono::steady_clock::now();
  if ((result.executable = disk.load(key, result.missReason))) {
    result.hit = CacheHit::disk;
    result.loadSeconds = secondsSince(start);
    std::lock_guard lock(mutex);
    ++count.diskHits;
    return result;
  }
  start = std::chrono::steady_clock::now();
  Artifact artifact = compile();
  result.compileSeconds = secondsSince(start);
  artifact.key = key;
  start = std::chrono::steady_clock::now();
  disk.store(artifact);
  result.executable = Executable::load(std::move(artifact));
  result.loadSeconds = secondsSince(start);
  std::lock_guard lock(mutex);
  ++count.compiles;
  return result;
}

void ArtifactCache::keep(const std::string &key) {
  std::lock_guard lock(mutex);
  auto found = entries.find(key);
  if (found == entries.end()) // cleared meanwhile
    return;
  found->second.use = uses.insert(uses.end(), key);
  while (uses.size() > capacity) {
    entries.erase(uses.front());
    uses.pop_front();
  }
}

ArtifactCache::Counts ArtifactCache::counts() const {
  std::lock_guard lock(mutex);
  return count;
}

void ArtifactCache::clearMemory() {
  std::lock_guard lock(mutex);
  for (const std::string &key : uses)
    entries.erase(key);
  uses.clear();
}

} // namespace kiln::runtime
