//===- ChromeTrace.h - Recorded times for Perfetto and chrome://tracing -------===//
#pragma once

#include <filesystem>

#include "runtime/Profile.h"

namespace kiln::tools {

/// Writes a profile as JSON in Chrome's trace format: complete events ("X") in microseconds from
/// the first one on, on the threads where they took place. Categories: "phase" (loading, compiling,
/// …), "call" (args: the sizes), "kernel" (args: types with sizes, GFLOP, MB) within calls, and
/// "tasks": what each thread did of a kernel that several shared. The file appears when it is
/// complete. Errors: IoError.
void writeChromeTrace(const std::filesystem::path &file, const runtime::Profile &profile);

} // namespace kiln::tools
