#pragma once

#include "kiln/Device.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace kiln::runtime {

class ThreadPool;

/// The thread groups of the devices: of each a thread that runs what is asked of the
/// device, one after the other, and the workers of its loops. Made when first wanted, asleep when
/// there is nothing to do.
class DeviceThreads {
public:
  static DeviceThreads &instance();

  /// Runs task(rank, pool) on the group of each of the devices, all at the same time, and returns
  /// when all have ended; `pool` is the group's, of `threads` threads where they can be had. Tasks
  /// must not throw and may wait for each other: what several threads ask for is done in one order
  /// on all devices. Not from within a task. Errors: DeviceError if a device is not there or there
  /// are no threads.
  void run(std::span<const Device> devices, int64_t threads,
           const std::function<void(int64_t rank, ThreadPool &pool)> &task);

private:
  struct Group;
  struct Job;
  DeviceThreads();
  Group &groupOf(Device device);

  /// Held while a job is put into the queues of all its devices: no two jobs lie in two queues in
  /// different orders.
  std::mutex mutex;
  std::vector<std::unique_ptr<Group>> groups; // of CPUs, then accelerators; null: not wanted yet
};

} // namespace kiln::runtime
