#include "runtime/CacheLock.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace kiln::runtime {

CacheLock::CacheLock(const std::string &folder, const std::string &key) {
  if (folder.empty())
    return;
  file = open((folder + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0)
    return;
  struct flock byte = {};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  // Keys that share a byte, one pair in 2^62, wait for each other in vain.
  byte.l_start = static_cast<off_t>(std::hash<std::string>()(key) >> 2);
  byte.l_len = 1;
  // Locks of the open file, not of the process: they hold between threads, too. Asked again and
  // again, since a wait without end would hang on a process that was stopped.
  auto start = std::chrono::steady_clock::now();
  auto pause = std::chrono::milliseconds(1);
  while (fcntl(file, F_OFD_SETLK, &byte) != 0) {
    bool isTaken = errno == EAGAIN || errno == EACCES;
    std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    if ((!isTaken && errno != EINTR) || spent.count() > maxWaitSeconds)
      return;
    waited = waited || isTaken;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(16));
  }
}

CacheLock::~CacheLock() {
  if (file >= 0)
    close(file); // gives the lock back
}

} // namespace kiln::runtime
