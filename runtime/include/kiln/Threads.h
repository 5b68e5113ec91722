#pragma once

#include <cstdint>
#include <source_location>

namespace kiln {

/// Threads that a computation runs on, the calling one among them: $KILN_NUM_THREADS, else as many
/// as this process may use CPUs.
int64_t threadCount();
/// Calls that run already keep theirs. Errors: ValueError outside [1, 1024].
void setThreadCount(int64_t count, std::source_location where = std::source_location::current());

} // namespace kiln
