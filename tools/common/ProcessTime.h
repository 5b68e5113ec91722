//===- ProcessTime.h - How long a process has been there ----------------------===//
#pragma once

namespace kiln::tools {

/// Seconds since the system started this process: loading libraries is part of it. To a hundredth
/// of a second, which is what the system tells.
double sinceProcessStart();

} // namespace kiln::tools
