//===- ProcessTime.cpp - How long a process has been there --------------------===//

#include "ProcessTime.h"

#include <fstream>
#include <sstream>
#include <string>

#include <time.h>
#include <unistd.h>

namespace kiln::tools {

double sinceProcessStart() {
  // The 22nd field of /proc/self/stat, in clock ticks since the machine started; the second one is
  // a name in parentheses, which may hold anything. proc(5).
  std::ifstream file("/proc/self/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i)
    fields >> field;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  const double seconds = static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  return seconds - std::stod(field) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

} // namespace kiln::tools
