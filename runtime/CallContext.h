#pragma once

#include "runtime/Abi.h"
#include "runtime/Artifact.h"

#include <cstdint>
#include <mutex>
#include <span>

namespace kiln::runtime {

/// The runtime table of one call: threads, and where its kernels report bad indices.
class CallContext : public KilnRuntime {
public:
  CallContext();
  CallContext(const CallContext &) = delete;
  CallContext &operator=(const CallContext &) = delete;

  /// Throws IndexError if a kernel has reported an index. `symbols` are the call's sizes: they
  /// replace the names in the site's text.
  void raiseIndexError(const Artifact &artifact, const int64_t *symbols) const {
    if (report.site >= 0)
      raise(artifact, symbols);
  }

private:
  struct Report {
    int64_t site = -1, index = 0, position = 0, bound = 0;
  };
  void record(const Report &found);
  [[noreturn]] void raise(const Artifact &artifact, const int64_t *symbols) const;

  std::mutex mutex;
  Report report; // the one with the smallest (site, position)
};

} // namespace kiln::runtime
