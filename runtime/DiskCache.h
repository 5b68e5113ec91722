#pragma once

#include "runtime/Artifact.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace kiln::runtime {

class Executable;

/// Artifacts as files KEY.kiln of one folder. Whatever goes wrong is no error: reading misses,
/// writing is left out.
class DiskCache {
public:
  /// An empty folder's name: off.
  explicit DiskCache(std::string folder) : directory(std::move(folder)) {}

  /// $KILN_CACHE_DIR (empty or "off": no cache), else $XDG_CACHE_HOME/kiln, else ~/.cache/kiln.
  static std::string defaultFolder();

  bool isOn() const { return !directory.empty(); }
  const std::string &folder() const { return directory; }
  std::string path(const std::string &key) const { return directory + "/" + key + ".kiln"; }

  /// Null if there is no usable artifact of that key; `missReason` then says why. Files that
  /// belong to somebody else or that others may write are not believed.
  std::shared_ptr<const Executable> load(const std::string &key, std::string &missReason) const;

  /// Writes the artifact under its key; readers see all of it or nothing. Warns once on standard
  /// error if it cannot.
  void store(const Artifact &artifact);

  /// Removes the files that were not used for longest until `limitBytes` are left, and what
  /// writers that died left behind. `store` does so now and then: in one of 16 cases, told by the
  /// key.
  void prune(std::uintmax_t limitBytes) const;
  static constexpr std::uintmax_t maxBytes = std::uintmax_t{1} << 30;

private:
  std::string directory;
  std::once_flag warned;
};

} // namespace kiln::runtime
