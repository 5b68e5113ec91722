#pragma once

#include <string>

namespace kiln::runtime {

/// Lets one thread of one process at a time work on a key: the first compiles, the others find
/// what it made. A lock on a byte of the folder's file `.lock`, so the system gives it back when a
/// process dies. Where the file cannot be had, or the other one takes longer than `maxWaitSeconds`,
/// it goes on without: the same work is done twice, and nothing is lost.
class CacheLock {
public:
  /// `folder` empty: no lock.
  CacheLock(const std::string &folder, const std::string &key);
  ~CacheLock();
  CacheLock(const CacheLock &) = delete;
  CacheLock &operator=(const CacheLock &) = delete;

  /// Whether somebody else had it: what it made may be there now.
  bool hasWaited() const { return waited; }

  static constexpr double maxWaitSeconds = 60;

private:
  int file = -1;
  bool waited = false;
};

} // namespace kiln::runtime
