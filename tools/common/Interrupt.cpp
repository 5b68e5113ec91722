#include "tools/common/Interrupt.h"

#include "kiln/Error.h"

#include <csignal>

namespace kiln::tools {

static volatile std::sig_atomic_t received = 0;

void catchSignals() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { received = signal; };
  action.sa_flags = SA_RESETHAND; // Reads are not restarted.
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);
}

int interruptedBy() { return received; }

void stopIfInterrupted() {
  if (received)
    throw Error("interrupted");
}

} // namespace kiln::tools
