#pragma once

#include "runtime/Abi.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace kiln::runtime {

/// The threads that compiled code and packing run on: oneTBB's workers, plus the thread that calls.
///
/// A loop's tasks are split evenly; each worker has one contiguous range, takes most of it at once
/// and comes back for the rest, which idle workers may take first. The calling thread is worker 0
/// and never waits for a worker that has not begun, so a loop costs little from any number of
/// threads at once and inside somebody else's TBB tasks. Helpers watch for the next loop for a
/// while: a fork and join of two threads takes 1.2 us then (oneTBB's parallel_for: 2.2 us), and
/// about 40 us when they had gone to sleep (measured on 2 undisturbed cores).
class ThreadPool {
public:
  /// That of calls without a device of their own.
  static ThreadPool &instance();
  /// A pool of its own, apart from that of everybody. Errors: ValueError as setThreads.
  explicit ThreadPool(int64_t count);
  ~ThreadPool();

  /// Workers of a loop, the caller among them: $KILN_NUM_THREADS, else the CPUs that this process
  /// may use.
  int64_t threads() const;
  /// Loops that run already are not affected. Errors: ValueError outside [1, maxThreads].
  void setThreads(int64_t count);
  static constexpr int64_t maxThreads = 1024;

  /// A call of a model in progress, from its first loop to its last.
  class Call {
  public:
    explicit Call(ThreadPool &pool) : pool(pool) { ++pool.calls; }
    ~Call() { --pool.calls; }
    Call(const Call &) = delete;
    Call &operator=(const Call &) = delete;

  private:
    ThreadPool &pool;
  };

  /// See KilnRuntime::parallelFor; at most `threads` workers. While several calls are in progress
  /// each other one has a thread of its own, and takes the place of a helper: together they run on
  /// no more threads than one alone, or on one each.
  void parallelFor(int64_t tasks, KilnBody body, void *context, int64_t threads) noexcept;

  /// body(begin, end, worker) over [0, tasks); it must not throw.
  template <class Body> void parallelFor(int64_t tasks, Body &&body) {
    auto call = [](void *context, int64_t begin, int64_t end, int64_t worker) {
      (*static_cast<std::remove_reference_t<Body> *>(context))(begin, end, worker);
    };
    parallelFor(tasks, call, const_cast<void *>(static_cast<const void *>(&body)), threads());
  }

private:
  struct Workers;
  std::atomic<Workers *> current = nullptr;
  std::atomic<int64_t> calls = 0; // in progress
  std::mutex mutex;
  std::vector<std::unique_ptr<Workers>> all; // one for each count that was ever set
};

} // namespace kiln::runtime
