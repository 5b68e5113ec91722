#pragma once

#include "runtime/Artifact.h"

#include <memory>
#include <string>

namespace kiln::runtime {

class Executable;

/// Artifacts that were made elsewhere, for machines without the compiler: files KEY.kiln of a
/// folder that is only read, KEY as shippedKey makes it. Whichever compiler made them is believed:
/// the folder is named by whoever starts the program. Everything else is checked as in the cache:
/// the file, whose it is, its version, what its code needs of the CPU.
class ShippedArtifacts {
public:
  /// An empty folder's name: there are none.
  explicit ShippedArtifacts(std::string folder) : directory(std::move(folder)) {}
  /// $KILN_ARTIFACTS.
  static std::string defaultFolder();

  bool areThere() const { return !directory.empty(); }
  std::string path(const KeyParts &parts) const;
  /// Null if there is no usable artifact of these parts; `missReason` then says why.
  std::shared_ptr<const Executable> load(const KeyParts &parts, std::string &missReason) const;

private:
  std::string directory;
};

} // namespace kiln::runtime
