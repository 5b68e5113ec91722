#pragma once

#include "runtime/Abi.h"
#include "runtime/Artifact.h"
#include "runtime/ThreadPool.h"

#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kiln::runtime {

class CallRecorder;
class Collective;
class ThreadPool;
namespace cuda {
class DeviceCall;
} // namespace cuda

/// `[batch, 2 * seq]` -> `[3, 8]`; text that is no list of dims over the artifact's symbols stays.
std::string withSizes(std::string_view text, const Artifact &artifact, const int64_t *symbols);

/// The runtime table of one call, or of one rank of it: threads, and where its kernels report bad
/// indices.
class CallContext : public KilnRuntime {
public:
  /// Of a call that is one of one, with at most `mostThreads` threads if that is not 0.
  explicit CallContext(int64_t mostThreads = 0);
  /// Of one rank among several, with at most `threads` threads of `pool`.
  CallContext(Collective &collective, ThreadPool &pool, int64_t threads);
  /// Of a call on an accelerator, which is one of one; `indexRecord` is an address there.
  CallContext(cuda::DeviceCall &device, void *indexRecord);
  /// Of one rank among several, on an accelerator.
  CallContext(Collective &collective, cuda::DeviceCall &device, void *indexRecord);
  CallContext(const CallContext &) = delete;
  CallContext &operator=(const CallContext &) = delete;

  /// Throws IndexError if a kernel has reported an index. `symbols` are the call's sizes: they
  /// replace the names in the site's text.
  void raiseIndexError(const Artifact &artifact, const int64_t *symbols) const {
    if (report.site >= 0)
      raise(artifact, symbols);
  }

  /// Takes over what the kernels of an accelerator have reported, if they have.
  void takeReport(const KilnIndexRecord &found) {
    if (found.isSet)
      record({found.site, found.index, found.position, found.bound});
  }
  /// Makes the other rank's report this call's, if it has one and it comes first.
  void takeReport(const CallContext &rank) {
    if (rank.report.site >= 0)
      record(rank.report);
  }
  /// The rank has failed, here or within a collective: the first error stays.
  void fail(std::exception_ptr error) noexcept;
  /// What the rank failed with: CollectiveAborted if another one has; null if it has not.
  std::exception_ptr error() const { return failure; }

private:
  explicit CallContext(ThreadPool &pool);

  friend class CallRecorder;
  struct Report {
    int64_t site = -1, index = 0, position = 0, bound = 0;
  };
  void record(const Report &found);
  [[noreturn]] void raise(const Artifact &artifact, const int64_t *symbols) const;

  template <class Body> void runCollective(Body &&body);

  ThreadPool *pool;
  std::optional<ThreadPool::Call> inProgress; // of calls that are one of one
  Collective *collective = nullptr;           // null: this rank is the only one
  CallRecorder *recorder = nullptr;           // null: nobody watches
  cuda::DeviceCall *device = nullptr;         // null: on a CPU
  std::exception_ptr failure;
  std::mutex mutex;
  Report report; // the one with the smallest (site, position)
};

} // namespace kiln::runtime
