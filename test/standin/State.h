#pragma once

#include "standin/StandIn.h"
#include "standin/ptx/Ptx.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

/// What the stand-in's driver consists of.
struct CUfunc_st;
struct CUstream_st;
struct CUctx_st {
  int device = 0;
};
struct CUmod_st;
struct CUfunc_st {
  CUmod_st *module = nullptr;
  std::string name;
  const standin::ptx::Function *ptx = nullptr; // null: of a cubin
  int maxDynamicSharedBytes = 48 << 10;
};
struct CUmod_st {
  int device = 0;
  bool isCubin = false;
  std::unique_ptr<standin::ptx::Module> ptx;
  std::vector<uint64_t> globals; // allocations
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};
struct CUevent_st {
  CUstream_st *stream = nullptr; // null: never recorded
  uint64_t position = 0;
};

namespace standin {

/// A piece of a stream's work. What it gives is the driver's result.
struct Work {
  std::string name;
  std::function<int()> run;
  CUstream_st *waitsFor = nullptr; // until that stream has come to `position`
  uint64_t position = 0;
  const void *kind = nullptr; // of graphs: equal for work that may stand for the other
};

} // namespace standin

struct CUgraph_st {
  std::vector<standin::Work> works;
};
struct CUgraphExec_st {
  std::vector<standin::Work> works;
};
struct CUstream_st {
  int device = 0, number = 0;
  std::deque<standin::Work> queue;
  uint64_t enqueued = 0, executed = 0; // works so far
  std::unique_ptr<CUgraph_st> capture;
};

namespace standin {

/// Device memory: addresses that the host may not touch; their contents lie elsewhere.
class DeviceMemory {
public:
  static constexpr std::size_t alignment = 256, guardBytes = 256;
  explicit DeviceMemory(int device);
  uint64_t allocate(std::size_t sizeBytes);
  bool release(uint64_t address);
  /// Null unless all bytes lie in one allocation.
  std::byte *find(uint64_t address, std::size_t sizeBytes);
  bool owns(uint64_t address) const { return address >= base && address < base + rangeBytes; }
  int64_t count() const { return static_cast<int64_t>(sizes.size()); }
  std::size_t usedBytes() const { return used; }

private:
  static constexpr std::size_t rangeBytes = std::size_t{32} << 30;
  uint64_t base;
  std::byte *contents;
  std::size_t end = guardBytes, used = 0;
  std::map<uint64_t, std::size_t> sizes;
};

struct State final : ptx::Memory {
  static State &instance();

  std::recursive_mutex mutex;
  Machine machine;
  std::map<int, std::unique_ptr<DeviceMemory>> memories;
  std::map<int, std::unique_ptr<CUctx_st>> contexts;
  std::map<int, int> retained;
  std::set<CUstream_st *> streams;
  std::set<CUevent_st *> events;
  std::set<CUmod_st *> modules;
  std::set<CUgraph_st *> graphs;
  std::set<CUgraphExec_st *> graphExecs;
  std::map<uint64_t, std::size_t> pinned; // host memory that devices see
  std::map<std::string, int64_t> callCounts;
  struct Failure {
    int after, code, repeats;
  };
  std::map<std::string, Failure> failures;
  std::vector<std::string> log, wrongs;
  int stickyError = 0;
  int streamCount = 0;
  std::set<std::pair<int, int>> peers;
  int runningDevice = 0; // whose kernel runs

  DeviceMemory &memoryOf(int device);
  /// What a copy or kernel may touch: device memory, or pinned host memory.
  std::byte *find(uint64_t address, std::size_t sizeBytes) override;
  std::byte *findOn(int device, uint64_t address, std::size_t sizeBytes);
  void wrong(std::string what) { wrongs.push_back(std::move(what)); }
  /// Counts a call; 0 unless it shall fail.
  int enter(const char *name);
  void put(CUstream_st &stream, Work work);
  /// Executes a stream's work up to a position, and what it waits for.
  int runTo(CUstream_st &stream, uint64_t position);
  int runAll(int device);
};

} // namespace standin
