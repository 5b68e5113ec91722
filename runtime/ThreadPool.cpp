#include "runtime/ThreadPool.h"

#include "kiln/Error.h"
#include "kiln/Threads.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>

namespace kiln::runtime {
namespace {

/// How long a caller that has run out of tasks watches for the last worker before it sleeps. A
/// worker's last piece is usually short, and waking up takes tens of microseconds.
constexpr int spinRounds = 4000; // of about 10 ns: 40 us

/// One worker's part of a loop: task units [begin, end) in one word, so that owner and thieves
/// agree by compare-and-swap. On its own cache line.
class alignas(64) Range {
public:
  void set(uint32_t begin, uint32_t end) {
    word.store(uint64_t{begin} << 32 | end, std::memory_order_relaxed);
  }

  /// The owner takes three quarters from the front: few calls of the body, and enough left behind
  /// to balance threads of which one runs at half the speed. A thief takes half from the back.
  /// False if nothing is left.
  bool take(bool thief, uint32_t &begin, uint32_t &end) {
    uint64_t seen = word.load(std::memory_order_relaxed), rest;
    uint32_t cut;
    do {
      begin = static_cast<uint32_t>(seen >> 32);
      end = static_cast<uint32_t>(seen);
      if (begin >= end)
        return false;
      cut = thief ? begin + (end - begin) / 2 : end - (end - begin) / 4;
      rest = thief ? uint64_t{begin} << 32 | cut : uint64_t{cut} << 32 | end;
    } while (!word.compare_exchange_weak(seen, rest, std::memory_order_relaxed));
    (thief ? begin : end) = cut;
    return true;
  }

private:
  std::atomic<uint64_t> word = 0;
};

void cpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// A parallel loop. Workers that begin late find it here even when it is over, so it is shared.
struct Loop {
  Loop(int64_t tasks, int64_t workers, KilnBody body, void *context)
      : body(body), context(context), tasks(tasks), workers(workers), unit(tasks / maxUnits + 1),
        ranges(new Range[workers]) {
    int64_t units = (tasks + unit - 1) / unit;
    for (int64_t w = 0; w < workers; ++w)
      ranges[w].set(units * w / workers, units * (w + 1) / workers);
  }

  /// Runs what is left of the worker's range, then what others have left.
  void work(int64_t worker) {
    uint32_t begin, end;
    while (ranges[worker].take(false, begin, end))
      call(begin, end, worker);
    for (int64_t i = 1; i < workers; ++i)
      while (ranges[(worker + i) % workers].take(true, begin, end))
        call(begin, end, worker);
  }

  /// A helper enters unless the caller has closed the loop; the sign bit says closed.
  bool enter() {
    int32_t seen = inside.load(std::memory_order_relaxed);
    do {
      if (seen < 0)
        return false;
    } while (!inside.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire));
    return true;
  }
  void leave() {
    if (inside.fetch_sub(1, std::memory_order_release) == closed + 1)
      inside.notify_one();
  }
  /// Nobody enters any more; returns when all that did have left.
  void close() {
    inside.fetch_or(closed, std::memory_order_acquire);
    for (int round = 0; round < spinRounds; ++round) {
      if (inside.load(std::memory_order_acquire) == closed)
        return;
      cpuRelax();
    }
    int32_t seen;
    while ((seen = inside.load(std::memory_order_acquire)) != closed)
      inside.wait(seen, std::memory_order_acquire);
  }

private:
  static constexpr int64_t maxUnits = int64_t{1} << 30;
  static constexpr int32_t closed = INT32_MIN;

  void call(uint32_t begin, uint32_t end, int64_t worker) {
    int64_t last = end * unit;
    body(context, begin * unit, last < tasks ? last : tasks, worker);
  }

  KilnBody body;
  void *context;
  int64_t tasks, workers;
  int64_t unit; // tasks of a unit: 1 but for astronomically many
  std::unique_ptr<Range[]> ranges;
  std::atomic<int32_t> inside = 0;
};

int64_t defaultThreads() {
  int64_t count = oneapi::tbb::info::default_concurrency();
  const char *text = std::getenv("KILN_NUM_THREADS");
  if (!text || !*text)
    return count;
  int64_t asked = 0;
  auto [end, error] = std::from_chars(text, text + std::strlen(text), asked);
  if (error == std::errc() && !*end && asked >= 1 && asked <= ThreadPool::maxThreads)
    return asked;
  fmt::print(stderr, "kiln: KILN_NUM_THREADS={} is not a number of threads; using {}\n", text,
             count);
  return count;
}

} // namespace

/// Slots for `count` - 1 helpers.
struct ThreadPool::Workers {
  explicit Workers(int64_t count) : count(count), arena(std::max<int>(count - 1, 1), 0) {}
  int64_t count;
  oneapi::tbb::task_arena arena;
};

/// oneTBB starts no more workers than CPUs unless told so; of several limits it takes the smallest.
static void allowThreads(int64_t count) {
  static int64_t allowed = oneapi::tbb::info::default_concurrency();
  static std::optional<oneapi::tbb::global_control> limit;
  if (count <= allowed)
    return;
  allowed = count;
  limit.reset();
  limit.emplace(oneapi::tbb::global_control::max_allowed_parallelism, count);
}

ThreadPool &ThreadPool::instance() {
  // Never destroyed: oneTBB's own shutdown comes at an unknown moment.
  static ThreadPool &pool = *new ThreadPool;
  return pool;
}

ThreadPool::ThreadPool() {
  int64_t count = defaultThreads();
  allowThreads(count);
  all.push_back(std::make_unique<Workers>(count));
  current = all.back().get();
}

int64_t ThreadPool::threads() const { return current.load(std::memory_order_acquire)->count; }

void ThreadPool::setThreads(int64_t count) {
  if (count < 1 || count > maxThreads)
    throw ValueError(
        fmt::format("the number of threads must be between 1 and {}, got {}", maxThreads, count));
  std::lock_guard lock(mutex);
  for (auto &workers : all)
    if (workers->count == count)
      return current.store(workers.get(), std::memory_order_release);
  allowThreads(count);
  all.push_back(std::make_unique<Workers>(count));
  current.store(all.back().get(), std::memory_order_release);
}

void ThreadPool::parallelFor(int64_t tasks, KilnBody body, void *context,
                             int64_t threads) noexcept {
  if (tasks <= 0)
    return;
  int64_t workers = std::min(tasks, threads);
  if (workers <= 1)
    return body(context, 0, tasks, 0);
  std::shared_ptr<Loop> loop;
  try {
    loop = std::make_shared<Loop>(tasks, workers, body, context);
  } catch (...) { // no memory: no parallelism
    return body(context, 0, tasks, 0);
  }
  try {
    oneapi::tbb::task_arena &arena = current.load(std::memory_order_acquire)->arena;
    for (int64_t worker = 1; worker < workers; ++worker)
      arena.enqueue([loop, worker] {
        if (loop->enter()) {
          loop->work(worker);
          loop->leave();
        }
      });
  } catch (...) { // helpers that could not be asked are done without
  }
  loop->work(0);
  loop->close();
}

} // namespace kiln::runtime

namespace kiln {

int64_t threadCount() { return runtime::ThreadPool::instance().threads(); }
void setThreadCount(int64_t count) { runtime::ThreadPool::instance().setThreads(count); }

} // namespace kiln
