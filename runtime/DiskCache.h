#pragma once

#include "runtime/Artifact.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

  /// $KILN_CACHE_LIMIT: bytes, or a number with K, M or G behind it (of 1024); else 1 GiB.
  static std::uintmax_t defaultLimit();

  bool isOn() const { return !directory.empty(); }
  /// Makes the folder where it is not there. False where it cannot be used: off, no folder, no
  /// place, or of another user or one that others may write to. Says so once on standard error.
  bool prepare();
  const std::string &folder() const { return directory; }
  std::string path(const std::string &key) const { return directory + "/" + key + ".kiln"; }

  /// Null if there is no usable artifact of that key; `missReason` then says why. Files that
  /// belong to somebody else or that others may write are not believed.
  std::shared_ptr<const Executable> load(const std::string &key, std::string &missReason) const;

  /// Of the 256 entries used last, the one most like these parts, and how it differs: "; nearest:
  /// 0123… differs in graph line 3: …". Empty where no entry has half of it in common.
  std::string nearest(const KeyParts &parts) const;

  /// An entry that is there, right or wrong.
  struct Entry {
    std::string key; // by the file's name
    std::string path;
    std::uintmax_t sizeBytes = 0;
    std::filesystem::file_time_type used;
  };
  /// The last used first.
  std::vector<Entry> entries() const;
  /// Reads and checks an entry. Errors: IoError that says what is wrong with the file.
  Artifact read(const Entry &entry) const;
  /// Removes all entries and what dead writers left. Returns how many entries there were.
  std::size_t clear() const;

  /// Writes the artifact under its key; readers see all of it or nothing. Warns once on standard
  /// error if it cannot.
  void store(const Artifact &artifact);

  /// Removes the files that were not used for longest until `limitBytes` are left, and what
  /// writers that died left behind. `store` does so now and then: in one of 16 cases, told by the
  /// key.
  /// Returns how many entries it removed.
  std::size_t prune(std::uintmax_t limitBytes) const;

private:
  void warnOnce(const std::string &reason);
  std::string directory;
  std::once_flag warned;
};

} // namespace kiln::runtime
