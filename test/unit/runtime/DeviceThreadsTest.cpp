#include "runtime/DeviceThreads.h"

#include "kiln/Error.h"
#include "runtime/ThreadPool.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <set>
#include <thread>

using namespace kiln;
using namespace kiln::runtime;

TEST(DeviceThreads, EachDeviceHasAThreadOfItsOwn) {
  const std::vector<Device> devices = {CPU(3), CPU(0), CPU(7)};
  auto threadsOf = [&](std::vector<Device> list) {
    std::vector<std::thread::id> ids(list.size());
    DeviceThreads::instance().run(list, 1, [&](int64_t rank, ThreadPool &) {
      ids[static_cast<std::size_t>(rank)] = std::this_thread::get_id();
    });
    return ids;
  };
  std::vector<std::thread::id> first = threadsOf(devices);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 3u);
  EXPECT_EQ(std::count(first.begin(), first.end(), std::this_thread::get_id()), 0);
  EXPECT_EQ(threadsOf(devices), first);
  EXPECT_EQ(threadsOf({CPU(7), CPU(3)}), (std::vector{first[2], first[0]}));
  EXPECT_TRUE(threadsOf({}).empty());
}

TEST(DeviceThreads, TasksRunAtTheSameTime) {
  // Each waits for all others: one after the other would never end.
  constexpr int count = 8;
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i)
    devices.push_back(CPU(i));
  std::barrier meeting(count);
  std::atomic<int> ended = 0;
  DeviceThreads::instance().run(devices, 1, [&](int64_t, ThreadPool &) {
    meeting.arrive_and_wait();
    ++ended;
  });
  EXPECT_EQ(ended, count);
}

TEST(DeviceThreads, LoopsRunOnTheDevicesOwnWorkers) {
  const std::vector<Device> devices = {CPU(0), CPU(1)};
  for (int64_t threads : {1, 3, 2}) {
    std::atomic<int64_t> sum = 0, most = 0;
    DeviceThreads::instance().run(devices, threads, [&](int64_t rank, ThreadPool &pool) {
      EXPECT_EQ(pool.threads(), threads);
      EXPECT_NE(&pool, &ThreadPool::instance());
      pool.parallelFor(1000, [&](int64_t begin, int64_t end, int64_t worker) {
        for (int64_t i = begin; i < end; ++i)
          sum += i * (rank + 1);
        if (worker > most)
          most = worker;
      });
    });
    EXPECT_EQ(sum, 999 * 1000 / 2 * 3);
    EXPECT_LT(most, threads);
  }
}

TEST(DeviceThreads, OnlyDevicesOfThisProcessHaveThreads) {
  auto nothing = [](int64_t, ThreadPool &) { ADD_FAILURE() << "it ran"; };
  for (Device device : {Accelerator(0), CPU(64), CPU(-1)}) {
    const std::vector<Device> devices = {CPU(0), device};
    EXPECT_THROW(DeviceThreads::instance().run(devices, 1, nothing), DeviceError);
  }
}
