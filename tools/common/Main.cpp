//===- Main.cpp - What programs have around their work -------------------------===//

#include "tools/common/Main.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include <kiln/Error.h>

#include "tools/common/Interrupt.h"

namespace kiln::tools {
namespace {

/// Without the place in the library's sources that it adds: it says nothing to users.
std::string messageOf(const Error &error) {
  std::string message = error.what();
  const auto place = message.rfind(" (at ");
  return place != message.npos && message.find(".cpp:", place) != message.npos
             ? message.substr(0, place)
             : message;
}

} // namespace

int runMain(std::string_view program, const std::function<int()> &work) {
  std::string failure;
  try {
    return work();
  } catch (const std::bad_alloc &) {
    failure = "out of memory";
  } catch (const Error &error) {
    failure = messageOf(error);
  } catch (const std::exception &error) {
    failure = error.what();
  }
  if (int signal = interruptedBy())
    return 128 + signal;
  std::replace(failure.begin(), failure.end(), '\n', ' ');
  std::cerr << program << ": " << failure << '\n';
  return 2;
}

} // namespace kiln::tools
