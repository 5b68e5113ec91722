//===- Convert.h - Between safetensors and GGUF -------------------------------===//
#pragma once

#include <functional>

#include "Options.h"

namespace kiln::tools {

/// Converts options.input to options.output. `check` is called again and again; what it throws ends
/// the work, and no file appears.
/// Errors: IoError, ValueError, also for options that do not fit the files.
void convert(const Options &options, const std::function<void()> &check);

} // namespace kiln::tools
