//===- Main.h - What programs have around their work ---------------------------===//
#pragma once

#include <functional>
#include <string_view>

namespace kiln::tools {

/// Runs what a program is for and returns its exit code: that of `work`; 128 + the number of the
/// signal that interrupted it, as a shell reports it; or 2 after an error, which has then been said
/// in one line on standard error, behind the program's name.
int runMain(std::string_view program, const std::function<int()> &work);

} // namespace kiln::tools
