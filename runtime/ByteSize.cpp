#include "runtime/ByteSize.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

#include <fmt/format.h>

namespace kiln::runtime {

static std::string shown(std::uintmax_t bytes) {
  if (bytes && bytes % (std::uintmax_t{1} << 30) == 0)
    return fmt::format("{}G", bytes >> 30);
  return bytes ? fmt::format("{}", bytes) : "none";
}

std::uintmax_t byteSizeFromEnvironment(const char *name, std::uintmax_t usual) {
  const char *text = std::getenv(name);
  if (!text || !*text)
    return usual;
  char *end = nullptr;
  double number = std::strtod(text, &end);
  std::string unit = end;
  for (char &letter : unit)
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  double factor = unit.empty()  ? 1
                  : unit == "K" ? 1024
                  : unit == "M" ? 1024 * 1024
                  : unit == "G" ? 1024 * 1024 * 1024
                                : 0;
  if (end != text && factor != 0 && number >= 0 && number * factor <= 1e18)
    return static_cast<std::uintmax_t>(number * factor);
  static std::mutex mutex;
  static std::set<std::string> said;
  std::lock_guard lock(mutex);
  // To standard error, as far as it takes it: the disk that is full may be the one behind it.
  if (said.insert(name).second)
    std::fputs(fmt::format("kiln: ${} is \"{}\", expected bytes such as 500M; taking {}\n", name,
                           text, shown(usual))
                   .c_str(),
               stderr);
  return usual;
}

} // namespace kiln::runtime
