#include "runtime/ThreadPool.h"

#include "kiln/Error.h"
#include "kiln/Threads.h"

#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace kiln;
using namespace kiln::runtime;

namespace {

/// Restores the number of threads.
struct ThreadCountScope {
  explicit ThreadCountScope(int64_t count) { setThreadCount(count); }
  ~ThreadCountScope() { setThreadCount(before); }
  int64_t before = threadCount();
};

/// Runs a loop and checks that each task ran once and that no two bodies shared a worker.
void checkLoop(int64_t tasks) {
  std::vector<std::atomic<int>> runs(tasks);
  int64_t threads = threadCount();
  std::vector<std::atomic<int>> running(threads);
  std::atomic<int> violations = 0;
  ThreadPool::instance().parallelFor(tasks, [&](int64_t begin, int64_t end, int64_t worker) {
    if (worker < 0 || worker >= threads || begin >= end || running[worker]++ != 0) {
      ++violations;
      return;
    }
    for (int64_t task = begin; task < end; ++task)
      ++runs[task];
    --running[worker];
  });
  EXPECT_EQ(violations, 0);
  for (int64_t task = 0; task < tasks; ++task)
    ASSERT_EQ(runs[task], 1) << "task " << task << " of " << tasks;
}

} // namespace

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (int64_t threads : {1, 2, 3, 8}) {
    ThreadCountScope scope(threads);
    for (int64_t tasks : {0, 1, 2, 3, 7, 64, 1000, 100000})
      checkLoop(tasks);
  }
}

TEST(ThreadPool, OneTaskOrThreadRunsOnTheCaller) {
  auto self = std::this_thread::get_id();
  int calls = 0;
  auto check = [&](int64_t, int64_t, int64_t worker) {
    ++calls;
    EXPECT_EQ(worker, 0);
    EXPECT_EQ(std::this_thread::get_id(), self);
  };
  ThreadPool::instance().parallelFor(1, check);
  EXPECT_EQ(calls, 1);
  ThreadCountScope scope(1);
  ThreadPool::instance().parallelFor(100, check);
  EXPECT_EQ(calls, 2) << "one thread gets all tasks in one call";
}

TEST(ThreadPool, MoreThanOneThreadTakesPart) {
  ThreadCountScope scope(2);
  // Each task waits for the other: ends only if two threads run at once.
  std::atomic<int> arrived = 0;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  ThreadPool::instance().parallelFor(2, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t task = begin; task < end; ++task) {
      ++arrived;
      while (arrived < 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    }
  });
  EXPECT_EQ(arrived, 2);
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST(ThreadPool, CallersDoNotDisturbEachOther) {
  ThreadCountScope scope(3);
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i)
    callers.emplace_back([] {
      for (int round = 0; round < 200; ++round)
        checkLoop(50);
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(ThreadPool, WorksInsideTheCallersOwnTbbTasks) {
  ThreadCountScope scope(2);
  oneapi::tbb::parallel_for(0, 50, [](int) { checkLoop(20); });
}

TEST(ThreadPool, ThreadCountCanChangeWhileLoopsRun) {
  ThreadCountScope scope(2);
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    for (int64_t count = 1; !stop; count = count % 4 + 1)
      ThreadPool::instance().setThreads(count);
  });
  for (int round = 0; round < 500; ++round) {
    std::atomic<int64_t> sum = 0;
    ThreadPool::instance().parallelFor(100, [&](int64_t begin, int64_t end, int64_t) {
      for (int64_t task = begin; task < end; ++task)
        sum += task;
    });
    EXPECT_EQ(sum, 4950);
  }
  stop = true;
  changer.join();
}

// Two calls in progress on two threads: no loop of either gets a helper.
TEST(ThreadPool, CallsInProgressShareTheThreads) {
  ThreadPool pool(2);
  std::atomic<int> running = 0, most = 0, ready = 0;
  auto body = [&](int64_t, int64_t, int64_t) {
    int now = ++running, seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --running;
  };
  auto call = [&] {
    ThreadPool::Call inProgress(pool);
    for (++ready; ready < 2;)
      std::this_thread::yield();
    for (int round = 0; round < 2000; ++round)
      pool.parallelFor(16, body);
    for (++ready; ready < 4;) // neither ends before the other
      std::this_thread::yield();
  };
  std::thread other(call);
  call();
  other.join();
  EXPECT_EQ(most, 2);

  // Alone again, a call gets its helper back: each task waits for the other.
  ThreadPool::Call inProgress(pool);
  std::atomic<int> arrived = 0;
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  pool.parallelFor(2, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t task = begin; task < end; ++task)
      for (++arrived; arrived < 2 && std::chrono::steady_clock::now() < deadline;)
        std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
}

#ifdef __linux__
/// How many threads of this process run or want to.
static int runnableThreads() {
  int count = 0;
  for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    // "tid (name) S ...": the name may hold anything.
    size_t end = text.rfind(')');
    count += end != std::string::npos && end + 2 < text.size() && text[end + 2] == 'R';
  }
  return count;
}

TEST(ThreadPool, SleepsWhenIdle) {
  ThreadPool pool(4);
  std::atomic<int64_t> sum = 0;
  for (int round = 0; round < 100; ++round)
    pool.parallelFor(100, [&](int64_t begin, int64_t end, int64_t) { sum += end - begin; });
  ASSERT_EQ(sum, 10000);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (runnableThreads() > 1 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(runnableThreads(), 1) << "only the one that asks";
  // One thread that watched for work would take all of the time.
  std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.2);
}
#endif

TEST(ThreadPool, RefusesSillyCounts) {
  int64_t before = threadCount();
  EXPECT_THROW(setThreadCount(0), ValueError);
  EXPECT_THROW(setThreadCount(1025), ValueError);
  EXPECT_EQ(threadCount(), before);
}

TEST(ThreadPool, AnEndlessNumberOfTasksIsCutIntoUnits) {
  std::atomic<int64_t> sum = 0;
  int64_t tasks = int64_t{1} << 40;
  ThreadPool::instance().parallelFor(
      tasks, [&](int64_t begin, int64_t end, int64_t) { sum += end - begin; });
  EXPECT_EQ(sum, tasks);
}
