#pragma once

#include "kiln/DType.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace kiln::runtime {

/// What the ranks of one call do together, as one of them sees it: the one interface behind
/// `kiln.all_reduce` and `kiln.all_gather`. Here the ranks are threads of this process; a library
/// such as NCCL or MPI stands behind the same functions. Every rank makes the same calls in the
/// same order. Errors of a call: CollectiveAborted if another rank has failed.
class Collective {
public:
  virtual ~Collective() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t ranks() const = 0;

  /// Sums `count` elements over all ranks, in the order of the ranks, so that each gets the same
  /// bits. 16-bit floats are summed in float32 and rounded once, integers wrap around, a sum of
  /// booleans is true where one is. `in` and `out` are aligned to the dtype; they are the same or
  /// do not overlap.
  virtual void allReduce(const void *in, void *out, int64_t count, DType dtype) = 0;
  /// out[o][r] = in[o] of rank r: `outer` runs of `innerBytes` bytes. No overlap.
  virtual void allGather(const void *in, void *out, int64_t outer, int64_t innerBytes) = 0;

  /// This rank has failed: the calls of the others end now, and so do all that come.
  virtual void abort() noexcept = 0;
  /// This rank makes no more calls. If others still do, they are aborted.
  virtual void finish() noexcept = 0;
};

/// Another rank has failed; what it threw is the error to report.
struct CollectiveAborted {};

/// The collectives of one call whose ranks are threads of this process: each reduces one part of
/// the elements and writes it for all. Any rank may outlive the others.
std::vector<std::unique_ptr<Collective>> makeInProcessCollectives(int64_t ranks);

} // namespace kiln::runtime
