#include "runtime/ArtifactCache.h"

#include "runtime/CacheLock.h"
#include "runtime/CompilerLibrary.h"
#include "runtime/Executable.h"
#include "runtime/Profile.h"

#include <chrono>
#include <optional>

#include <fmt/format.h>

namespace kiln::runtime {

ArtifactCache &ArtifactCache::instance() {
  static ArtifactCache &cache = *new ArtifactCache(DiskCache::defaultFolder(), defaultCapacity,
                                                   ShippedArtifacts::defaultFolder());
  return cache;
}

static double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

CachedExecutable ArtifactCache::getOrCompile(const std::string &key,
                                             const std::function<Artifact()> &compile,
                                             const std::function<KeyParts()> &parts) {
  std::optional<std::promise<Pointer>> promise;
  {
    std::unique_lock lock(mutex);
    if (auto found = entries.find(key); found != entries.end()) {
      if (found->second.use != uses.end())
        uses.splice(uses.end(), uses, found->second.use);
      ++count.memoryHits;
      std::shared_future<Pointer> future = found->second.executable;
      lock.unlock();
      CachedExecutable result;
      result.executable = future.get();
      result.hit = CacheHit::memory;
      return result;
    }
    promise.emplace();
    entries.emplace(key, Entry{promise->get_future().share(), uses.end()});
  }
  try {
    CachedExecutable made = make(key, compile, parts);
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

void ArtifactCache::noteDiskHit(CachedExecutable &result,
                                std::chrono::steady_clock::time_point start) {
  result.missReason.clear();
  result.hit = CacheHit::disk;
  result.loadSeconds = secondsSince(start);
  std::lock_guard lock(mutex);
  ++count.diskHits;
}

bool ArtifactCache::findOnDisk(const std::string &key, CachedExecutable &result) {
  ProfileScope scope("read the cache");
  auto start = std::chrono::steady_clock::now();
  if (!(result.executable = disk.load(key, result.missReason)))
    return false;
  noteDiskHit(result, start);
  return true;
}

bool ArtifactCache::findShipped(const KeyParts &parts, CachedExecutable &result) {
  ProfileScope scope("read what was shipped");
  auto start = std::chrono::steady_clock::now();
  std::string whyNot;
  if (!(result.executable = shipped.load(parts, whyNot))) {
    result.missReason += "; " + whyNot;
    return false;
  }
  noteDiskHit(result, start);
  return true;
}

CachedExecutable ArtifactCache::make(const std::string &key,
                                     const std::function<Artifact()> &compile,
                                     const std::function<KeyParts()> &parts) {
  CachedExecutable result;
  if (findOnDisk(key, result))
    return result;
  CacheLock lock(disk.prepare() ? disk.folder() : "", key);
  if (lock.hasWaited() && findOnDisk(key, result))
    return result;
  KeyParts known = parts ? parts() : KeyParts();
  if (parts && shipped.areThere() && findShipped(known, result))
    return result;
  if (parts)
    result.missReason += disk.nearest(known);
  auto start = std::chrono::steady_clock::now();
  Artifact artifact;
  try {
    artifact = compile();
  } catch (const CompileError &error) {
    if (!shipped.areThere() || isCompilerLoaded())
      throw;
    throw CompileError(fmt::format("{} ({})", error.what(), result.missReason));
  }
  result.compileSeconds = secondsSince(start);
  artifact.key = key;
  artifact.parts = std::move(known);
  artifact.madeBecause = result.missReason;
  start = std::chrono::steady_clock::now();
  ProfileScope scope("write the cache");
  disk.store(artifact);
  result.executable = Executable::load(std::move(artifact));
  result.loadSeconds = secondsSince(start);
  std::lock_guard guard(mutex);
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
