#pragma once

#include <stdint.h>

/// What compiled code and its caller agree on. Plain C: exported objects use it as well.
/// Compiled code is closed: all that it needs of the world comes through KilnRuntime.

#ifdef __cplusplus
extern "C" {
#endif

#define KILN_ABI_VERSION 4

/* Clang's function sanitizer looks for a signature in front of what is called; compiled code has
   none. For functions that call it. */
#if defined(__clang__)
#define KILN_CALLS_COMPILED_CODE __attribute__((no_sanitize("function")))
#else
#define KILN_CALLS_COMPILED_CODE
#endif

/// A piece of work: tasks [begin, end) of a parallel loop. `worker` is in [0, threads) and no two
/// running bodies of one call share it, so it selects per-thread scratch memory.
typedef void (*KilnBody)(void *context, int64_t begin, int64_t end, int64_t worker);

/// The C library's functions of float64: code for float32 has its own, inline. All pointers are 8
/// bytes, in this order.
typedef struct KilnMath {
  double (*exp)(double), (*log)(double), (*log1p)(double), (*tanh)(double);
  double (*erf)(double), (*erfc)(double), (*sin)(double), (*cos)(double);
  double (*pow)(double, double), (*fmod)(double, double);
} KilnMath;

typedef struct KilnRuntime KilnRuntime;
struct KilnRuntime {
  int64_t abiVersion; // offset 0
  int64_t threads;    // offset 8: at least 1
  /// offset 16. Runs body over [0, tasks), each task exactly once, in pieces; returns when all are
  /// done. Not reentrant from within a body.
  void (*parallelFor)(const KilnRuntime *runtime, int64_t tasks, KilnBody body, void *context);
  /// offset 24. Reports an index outside [0, bound): `site` is the artifact's index site,
  /// `position` the flat position in the index tensor. May be called from any worker; the report
  /// with the smallest (site, position) of a call is kept.
  void (*indexError)(const KilnRuntime *runtime, int64_t site, int64_t index, int64_t position,
                     int64_t bound);
  const KilnMath *math; // offset 32
  int64_t rank;         // offset 40: of this call among its ranks; 0 where there is one
  /// offset 48. Sums `count` elements of `dtype` (kiln::DType's number) over all ranks, in the
  /// order of the ranks: the same bits on each. `in` may be `out`. All ranks make the same calls in
  /// the same order, outside of parallel bodies. When a rank has failed, `out` holds anything.
  void (*allReduce)(const KilnRuntime *runtime, const void *in, void *out, int64_t count,
                    int64_t dtype);
  /// offset 56. out[o][r] = in[o] of rank r: `outer` runs of `innerBytes` bytes each. `in` and
  /// `out` do not overlap. Otherwise as allReduce.
  void (*allGather)(const KilnRuntime *runtime, const void *in, void *out, int64_t outer,
                    int64_t innerBytes);

  // For accelerators; null on a CPU. There the entry's buffers are device addresses, aligned to 16
  // bytes. The entry enqueues work in order and never waits. What fails is kept by the runtime, and
  // what is enqueued after it does nothing.
  /// offset 64. Runs kernel number `kernel` of the artifact's DeviceCode on a grid of blocks; none
  /// of its sizes is 0. parameters[i] points to the i-th parameter, an address or an int64_t, and
  /// is read before the call returns.
  void (*launch)(const KilnRuntime *runtime, int64_t kernel, int64_t gridX, int64_t gridY,
                 int64_t gridZ, void *const *parameters);
  /// offset 72. Copies between buffers that do not overlap.
  void (*copy)(const KilnRuntime *runtime, const void *from, void *to, int64_t bytes);
  void *indexRecord; // offset 80: device address of a KilnIndexRecord

  /// offset 88. Null, or what wants to know of a call's course: the entry calls it before each
  /// launch with the launch's number, with -1 before what is none, and with the number of all
  /// launches before it returns.
  void (*launching)(const KilnRuntime *runtime, int64_t launch);
};

/// Where kernels on an accelerator report indices: zeros before a call. Who changes it holds
/// `lock`. The report with the smallest (site, position) stays; see KilnRuntime::indexError.
typedef struct KilnIndexRecord {
  int32_t lock;  // offset 0: 1 while it is held
  int32_t isSet; // offset 4: 1 where there is a report
  int64_t site, position, index, bound;
} KilnIndexRecord;

/// An artifact's one entry. `buffers`: inputs in order (arguments and packed weights), outputs,
/// then the workspace. `dims`: the values of the artifact's symbols, in order.
typedef void (*KilnEntry)(const KilnRuntime *runtime, void *const *buffers, const int64_t *dims);

#ifdef __cplusplus
}
#endif
