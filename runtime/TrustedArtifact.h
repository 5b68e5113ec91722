#pragma once

#include "runtime/OpenFile.h"

#include <memory>

namespace kiln::runtime {

class Executable;

/// Loads the artifact of a file. Null if there is none or it is not usable, or where others than
/// this user may have written it, as its code will run in this process; `missReason` then says why.
std::shared_ptr<const Executable> loadTrusted(OpenFile &file, std::string &missReason);

} // namespace kiln::runtime
