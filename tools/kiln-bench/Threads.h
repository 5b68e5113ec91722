//===- Threads.h - What a second thread gives ---------------------------------===//
#pragma once

namespace kiln::tools {

/// Calls models on one thread and on all, in turns, and prints for each the medians of both and
/// their ratio; then two models from two threads at once against the same calls one after another,
/// with the CPUs that each kept busy; then the CPU time of a second without calls. `seconds` for
/// each.
void benchThreads(double seconds);

} // namespace kiln::tools
