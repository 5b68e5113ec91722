//===- main.cpp - kiln-gguf: lists and converts GGUF files --------------------===//

#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <new>
#include <regex>

#include <kiln/kiln.h>

#include "Convert.h"
#include "List.h"
#include "Options.h"

using namespace kiln::tools;

namespace {
volatile std::sig_atomic_t interruptedBy = 0; // The signal's number.

/// The first signal ends the work in good order, which removes temporary files.
void catchSignals() {
  struct sigaction action{};
  action.sa_handler = [](int signal) { interruptedBy = signal; };
  action.sa_flags = SA_RESETHAND; // The second one ends the process.
  for (int signal : {SIGINT, SIGTERM, SIGHUP})
    sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN); // A file that grows beyond the limit is then an error like others.
}

/// Without the place in this program that the library adds: it says nothing to its users.
std::string messageOf(const kiln::Error &error) {
  std::string message = error.what();
  return message.substr(0, message.rfind(" (at "));
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  std::string failure;
  try {
    if (const auto code = parseOptions(argc, argv, options))
      return *code;
    if (options.threads)
      kiln::setThreadCount(options.threads);
    catchSignals();
    if (options.list)
      list(options.input);
    else
      convert(options, [] {
        if (interruptedBy)
          throw kiln::Error("interrupted");
      });
    return 0;
  } catch (const std::bad_alloc &) {
    failure = "out of memory";
  } catch (const std::regex_error &error) {
    failure = std::string("--only: ") + error.what();
  } catch (const kiln::Error &error) {
    failure = messageOf(error);
  } catch (const std::exception &error) {
    failure = error.what();
  }
  if (interruptedBy)
    return 128 + interruptedBy; // As a shell reports it.
  std::replace(failure.begin(), failure.end(), '\n', ' ');
  std::cerr << "kiln-gguf: " << failure << '\n';
  return 2;
}
