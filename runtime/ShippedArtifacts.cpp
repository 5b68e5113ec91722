#include "runtime/ShippedArtifacts.h"

#include "kiln/Error.h"
#include "runtime/ArtifactFile.h"
#include "runtime/ArtifactKey.h"
#include "runtime/Executable.h"
#include "runtime/OpenFile.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace kiln::runtime {

std::string ShippedArtifacts::defaultFolder() {
  const char *folder = std::getenv("KILN_ARTIFACTS");
  return folder ? folder : "";
}

std::string ShippedArtifacts::path(const KeyParts &parts) const {
  return fmt::format("{}/{}.kiln", directory, shippedKey(parts));
}

std::shared_ptr<const Executable> ShippedArtifacts::load(const KeyParts &parts,
                                                         std::string &missReason) const {
  OpenFile file(path(parts));
  if (file.error) {
    missReason = file.error == ENOENT ? fmt::format("there is no {}", file.path)
                                      : fmt::format("{}: {}", file.path, std::strerror(file.error));
    return nullptr;
  }
  // Its code will run in this process.
  if (missReason = file.whyUntrusted(); !missReason.empty())
    return nullptr;
  try {
    std::shared_ptr<const Executable> executable = loadArtifact(file.read());
    const KeyParts &own = executable->artifact().parts;
    if (own.graph == parts.graph && shippedKey(own) == shippedKey(parts))
      return executable;
    missReason = fmt::format("{} is of another graph or of other options", file.path);
  } catch (const Error &error) {
    missReason = fmt::format("{} is not usable: {}", file.path, error.what());
  }
  return nullptr;
}

} // namespace kiln::runtime
