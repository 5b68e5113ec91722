//===- main.cpp - kiln-gguf: lists and converts GGUF files --------------------===//

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <regex>

#include <kiln/kiln.h>

#include "Convert.h"
#include "List.h"
#include "Options.h"
#include "tools/common/Interrupt.h"

using namespace kiln::tools;

namespace {
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
      convert(options, stopIfInterrupted);
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
  if (int signal = interruptedBy())
    return 128 + signal; // As a shell reports it.
  std::replace(failure.begin(), failure.end(), '\n', ' ');
  std::cerr << "kiln-gguf: " << failure << '\n';
  return 2;
}
