#include "runtime/ShippedArtifacts.h"

#include "runtime/ArtifactKey.h"
#include "runtime/Executable.h"
#include "runtime/TrustedArtifact.h"

#include <cstdlib>

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
  std::shared_ptr<const Executable> executable = loadTrusted(file, missReason);
  if (!executable)
    return nullptr;
  const KeyParts &own = executable->artifact().parts;
  if (own.graph == parts.graph && shippedKey(own) == shippedKey(parts))
    return executable;
  missReason = fmt::format("{} is of another graph or of other options", file.path);
  return nullptr;
}

} // namespace kiln::runtime
