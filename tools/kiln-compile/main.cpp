//===- main.cpp - kiln-compile: models to objects for C programs --------------===//

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include <kiln/kiln.h>

#include "CompileModel.h"
#include "Options.h"

using namespace kiln::tools;

namespace {
/// Without the place in the library's sources that it adds: it says nothing to users.
std::string messageOf(const kiln::Error &error) {
  std::string message = error.what();
  const auto place = message.rfind(" (at ");
  return place != message.npos && message.find(".cpp:", place) != message.npos
             ? message.substr(0, place)
             : message;
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  std::string failure;
  try {
    if (const auto code = parseOptions(argc, argv, options))
      return *code;
    compileModel(options);
    return 0;
  } catch (const std::bad_alloc &) {
    failure = "out of memory";
  } catch (const kiln::Error &error) {
    failure = messageOf(error);
  } catch (const std::exception &error) {
    failure = error.what();
  }
  std::replace(failure.begin(), failure.end(), '\n', ' ');
  std::cerr << "kiln-compile: " << failure << '\n';
  return 2;
}
