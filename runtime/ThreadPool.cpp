#include "runtime/ThreadPool.h"

#include "kiln/Error.h"
#include "kiln/Threads.h"
#include "runtime/StackArray.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>

namespace kiln::runtime {
namespace {

/// How long a helper watches for the next loop before it goes back to oneTBB: longer than what lies
/// between two kernels of a model. Waking a thread takes tens of microseconds, and milliseconds
/// where other processes want the CPU.
constexpr std::chrono::microseconds lingerTime{200};
/// How often a caller that has run out of tasks looks for the last helper before it sleeps: about
/// 40 us.
constexpr int spinRounds = 1000;

void cpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// One worker's part of a loop: task units [begin, end) in one word, so that owner and thieves
/// agree by compare-and-swap. On its own cache line.
class alignas(64) Range {
public:
  void set(uint32_t begin, uint32_t end) { word = uint64_t{begin} << 32 | end; }

  /// The owner takes three quarters from the front, and leaves at least one unit behind unless it
  /// is the last: few calls of the body, and enough left to balance threads of which one runs at
  /// half the speed. A thief takes half from the back. False if nothing is left.
  bool take(bool thief, uint32_t &begin, uint32_t &end) {
    std::atomic_ref<uint64_t> shared(word);
    uint64_t seen = shared.load(std::memory_order_relaxed), rest;
    uint32_t cut;
    do {
      begin = static_cast<uint32_t>(seen >> 32);
      end = static_cast<uint32_t>(seen);
      if (begin >= end)
        return false;
      uint32_t count = end - begin;
      cut = thief ? begin + count / 2 : end - std::max(count / 4, std::min(count - 1, 1u));
      rest = thief ? uint64_t{begin} << 32 | cut : uint64_t{cut} << 32 | end;
    } while (!shared.compare_exchange_weak(seen, rest, std::memory_order_relaxed));
    (thief ? begin : end) = cut;
    return true;
  }

private:
  uint64_t word;
};

/// A parallel loop, in the frame of its caller.
class alignas(64) Loop {
public:
  Loop(int64_t tasks, int64_t workers, KilnBody body, void *context)
      : body(body), context(context), tasks(tasks), workers(workers), unit(tasks / maxUnits + 1),
        ranges(workers) {
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

private:
  static constexpr int64_t maxUnits = int64_t{1} << 30;

  KILN_CALLS_COMPILED_CODE void call(uint32_t begin, uint32_t end, int64_t worker) {
    int64_t last = end * unit;
    body(context, begin * unit, last < tasks ? last : tasks, worker);
  }

  KilnBody body;
  void *context;
  int64_t tasks, workers;
  int64_t unit; // tasks of a unit: 1 but for astronomically many
  StackArray<Range, 16> ranges;
};

/// Where one helper and the callers meet. The state is a word: one of three numbers, or a loop's
/// address with a mark in its low bits.
///
///   absent ── caller ──► summoned(loop) ── helper ──► working(loop) ── helper ──► idle ──► absent
///                         │ ▲ caller                    ▲ helper                  │ ▲
///                         ▼ │                           └────── offered(loop) ◄───┘ │ caller
///                        summoned                                └──────────────────┘
class alignas(64) Helper {
public:
  /// A caller asks for help. True if somebody has to be sent to `run`.
  bool offer(Loop *loop) {
    State seen = state.load(std::memory_order_relaxed);
    if (seen == idle)
      state.compare_exchange_strong(seen, of(loop, offered));
    else if (seen == summonedForAny)
      state.compare_exchange_strong(seen, of(loop, summoned));
    else if (seen == absent)
      return state.compare_exchange_strong(seen, of(loop, summoned));
    return false; // it works for somebody else
  }

  /// Nobody came after all.
  void cancel() { state.store(absent); }

  /// The caller takes its offer back, or waits until the helper that took it is done.
  void retract(Loop *loop) {
    State seen = of(loop, offered);
    if (state.compare_exchange_strong(seen, idle))
      return;
    seen = of(loop, summoned);
    if (state.compare_exchange_strong(seen, summonedForAny))
      return;
    for (int round = 0; seen == of(loop, working); ++round) {
      if (round < spinRounds)
        cpuRelax();
      else
        state.wait(seen, std::memory_order_acquire);
      seen = state.load(std::memory_order_acquire);
    }
  }

  /// A helper: works, and lingers for more.
  void run(int64_t worker, std::chrono::microseconds linger) {
    auto deadline = std::chrono::steady_clock::now() + linger;
    for (unsigned round = 1;; ++round) {
      State seen = state.load(std::memory_order_relaxed);
      if (seen == summonedForAny) {
        state.compare_exchange_strong(seen, idle);
      } else if (seen != idle) { // offered or summoned
        Loop *loop = reinterpret_cast<Loop *>(seen & ~marks);
        if (!state.compare_exchange_strong(seen, of(loop, working)))
          continue;
        loop->work(worker);
        state.store(idle, std::memory_order_release);
        state.notify_all();
        deadline = std::chrono::steady_clock::now() + linger;
      } else if (round % 32 == 0 && std::chrono::steady_clock::now() >= deadline) {
        if (state.compare_exchange_strong(seen, absent))
          return;
      } else {
        cpuRelax();
      }
    }
  }

private:
  using State = std::uintptr_t;
  static constexpr State absent = 0, idle = 1, summonedForAny = 2;
  static constexpr State offered = 0, summoned = 1, working = 2, marks = 3;
  static State of(Loop *loop, State mark) { return reinterpret_cast<State>(loop) | mark; }

  std::atomic<State> state = absent;
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
  std::fputs(
      fmt::format("kiln: KILN_NUM_THREADS={} is not a number of threads; using {}\n", text, count)
          .c_str(),
      stderr); // which may be closed: no error
  return count;
}

} // namespace

/// The threads beside the caller.
struct ThreadPool::Workers {
  explicit Workers(int64_t count)
      : count(count), arena(std::max<int>(count - 1, 1), 0), helpers(new Helper[count]) {
    // Helpers that watch for work must not stand in the way of those that have some.
    if (count <= oneapi::tbb::info::default_concurrency())
      linger = lingerTime;
  }
  int64_t count;
  oneapi::tbb::task_arena arena;
  std::unique_ptr<Helper[]> helpers; // by worker; the caller's, 0, is not used
  std::chrono::microseconds linger{0};
};

/// oneTBB starts no more workers than CPUs unless told so; of several limits it takes the smallest.
static void allowThreads(int64_t count) {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
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
  static ThreadPool &pool = *new ThreadPool(defaultThreads());
  return pool;
}

ThreadPool::ThreadPool(int64_t count) { setThreads(count); }

ThreadPool::~ThreadPool() = default;

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

KILN_CALLS_COMPILED_CODE void ThreadPool::parallelFor(int64_t tasks, KilnBody body, void *context,
                                                      int64_t threads) noexcept {
  if (tasks <= 0)
    return;
  int64_t workers = std::min(tasks, threads);
  if (workers <= 1)
    return body(context, 0, tasks, 0);
  Workers &team = *current.load(std::memory_order_acquire);
  // The count may have changed since the call began.
  int64_t others = std::max<int64_t>(calls.load(std::memory_order_relaxed) - 1, 0);
  workers = std::min(workers, std::max<int64_t>(team.count - others, 1));
  if (workers <= 1)
    return body(context, 0, tasks, 0);
  try {
    Loop loop(tasks, workers, body, context);
    for (int64_t worker = 1; worker < workers; ++worker)
      if (Helper &helper = team.helpers[worker]; helper.offer(&loop))
        try {
          team.arena.enqueue([&team, worker] { team.helpers[worker].run(worker, team.linger); });
        } catch (...) { // done without
          helper.cancel();
        }
    loop.work(0);
    for (int64_t worker = 1; worker < workers; ++worker)
      team.helpers[worker].retract(&loop);
  } catch (const std::bad_alloc &) { // no room for the ranges: nothing has begun
    body(context, 0, tasks, 0);
  }
}

} // namespace kiln::runtime

namespace kiln {

int64_t threadCount() { return runtime::ThreadPool::instance().threads(); }
void setThreadCount(int64_t count, std::source_location where) {
  try {
    runtime::ThreadPool::instance().setThreads(count);
  } catch (const ValueError &error) {
    throw ValueError(fmt::format("[setThreadCount] {}{}", error.what(), atLocation(where)));
  }
}

} // namespace kiln
