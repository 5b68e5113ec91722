#pragma once

#include <thread>
#include <utility>

namespace oneapi::tbb {

/// A thread for each task.
struct task_arena {
  task_arena(int, unsigned) {}
  template <class Task> void enqueue(Task &&task) {
    std::thread(std::forward<Task>(task)).detach();
  }
};

} // namespace oneapi::tbb
