// In the place of oneTBB where it is not installed (tools/gpu): the names that
// runtime/ThreadPool.cpp uses.
#pragma once

#include <sched.h>

namespace oneapi::tbb::info {

/// CPUs that this process may use.
inline int default_concurrency() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

} // namespace oneapi::tbb::info
