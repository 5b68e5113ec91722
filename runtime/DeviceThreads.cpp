#include "runtime/DeviceThreads.h"

#include "kiln/Error.h"
#include "runtime/HostMemory.h"
#include "runtime/ThreadPool.h"

#include <algorithm>
#include <condition_variable>
#include <system_error>
#include <thread>

#include <fmt/format.h>

namespace kiln::runtime {

/// One call of `run`, in the frame of its caller.
struct DeviceThreads::Job {
  /// A rank's part, in the queue of its device.
  struct Entry {
    Job *job = nullptr;
    int64_t rank = 0;
    Entry *next = nullptr;
  };

  Job(const std::function<void(int64_t, ThreadPool &)> &task, int64_t threads, std::size_t ranks)
      : task(task), threads(threads), left(ranks), entries(ranks) {
    for (std::size_t rank = 0; rank < ranks; ++rank)
      entries[rank] = {this, static_cast<int64_t>(rank), nullptr};
  }

  void runRank(int64_t rank, ThreadPool &pool) {
    try {
      if (pool.threads() != threads)
        pool.setThreads(threads);
    } catch (const std::exception &) { // as many as there are
    }
    task(rank, pool);
    std::lock_guard lock(mutex);
    if (--left == 0)
      ended.notify_one(); // under the lock: the job is gone as soon as its caller knows
  }

  void wait() {
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return left == 0; });
  }

  const std::function<void(int64_t, ThreadPool &)> &task;
  int64_t threads;
  std::size_t left;
  std::vector<Entry> entries;
  std::mutex mutex;
  std::condition_variable ended;
};

struct DeviceThreads::Group {
  /// Errors: std::system_error.
  Group() {
    // Never joined: groups live as long as the process.
    std::thread([this] { serve(); }).detach();
  }

  void push(Job::Entry &entry) noexcept {
    std::lock_guard lock(mutex);
    (last ? last->next : first) = &entry;
    last = &entry;
    wake.notify_one();
  }

private:
  [[noreturn]] void serve() {
    ThreadPool pool(1);
    while (true) {
      Job::Entry entry = take();
      entry.job->runRank(entry.rank, pool);
    }
  }

  Job::Entry take() {
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return first != nullptr; });
    Job::Entry entry = *first;
    first = entry.next;
    if (!first)
      last = nullptr;
    return entry;
  }

  std::mutex mutex;
  std::condition_variable wake;
  Job::Entry *first = nullptr, *last = nullptr; // a queue
};

DeviceThreads &DeviceThreads::instance() {
  static DeviceThreads &threads = *new DeviceThreads; // its threads use it to the very end
  return threads;
}

/// More accelerators than a machine has.
static constexpr int maxAccelerators = 64;

DeviceThreads::DeviceThreads() : groups(numVirtualDevices + maxAccelerators) {}

DeviceThreads::Group &DeviceThreads::groupOf(Device device) {
  int count = device.isCPU() ? numVirtualDevices : std::min(acceleratorCount(), maxAccelerators);
  if (device.index() < 0 || device.index() >= count)
    throw DeviceError(fmt::format("{} has no threads: it is not there", device.str()));
  std::unique_ptr<Group> &group =
      groups[static_cast<std::size_t>(device.index() + (device.isCPU() ? 0 : numVirtualDevices))];
  if (!group)
    try {
      group = std::make_unique<Group>();
    } catch (const std::system_error &error) {
      throw DeviceError(fmt::format("{}: cannot start its thread: {}", device.str(), error.what()));
    }
  return *group;
}

void DeviceThreads::run(std::span<const Device> devices, int64_t threads,
                        const std::function<void(int64_t, ThreadPool &)> &task) {
  if (devices.empty())
    return;
  Job job(task, threads, devices.size());
  {
    std::lock_guard lock(mutex);
    std::vector<Group *> wanted;
    for (Device device : devices)
      wanted.push_back(&groupOf(device));
    // From here on nothing fails: a job is in all of its queues or in none.
    for (std::size_t rank = 0; rank < wanted.size(); ++rank)
      wanted[rank]->push(job.entries[rank]);
  }
  job.wait();
}

} // namespace kiln::runtime
