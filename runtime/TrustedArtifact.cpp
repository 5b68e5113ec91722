#include "runtime/TrustedArtifact.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/Executable.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace kiln::runtime {

std::shared_ptr<const Executable> loadTrusted(OpenFile &file, std::string &missReason) {
  if (file.error) {
    missReason = file.error == ENOENT ? fmt::format("there is no {}", file.path)
                                      : fmt::format("{}: {}", file.path, std::strerror(file.error));
    return nullptr;
  }
  if (missReason = file.whyUntrusted(); !missReason.empty())
    return nullptr;
  try {
    return loadArtifact(file.read());
  } catch (const Error &error) {
    missReason = fmt::format("{} is not usable: {}", file.path, error.what());
    return nullptr;
  }
}

} // namespace kiln::runtime
